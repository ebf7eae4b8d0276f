#include "network_rows.hpp"

#include <batchmate/eval/concepts.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace batchmate;

using G = random_position<1, 2, 3, 5, 0>;

namespace {

/// The least that is an evaluator.
struct smallest {
  void submit(int, batch<G> const& rows) {
    for (int b = 0; b < rows.count; ++b) rows.values[b] = 0.5f;
  }
  void wait(int) {}
  std::string identity() const { return "smallest"; }
};

/// One that has all that is optional.
struct largest : smallest {
  void reserve(reservation const& wanted) { rows = wanted.max_rows; }
  bool needs_planes() const { return false; }
  bool moves_rows() const { return true; }
  bool is_shared() const { return true; }
  std::size_t memory_bytes(reservation const& wanted) const {
    return static_cast<std::size_t>(wanted.max_rows) * 10;
  }
  int rows = 0;
};

struct without_wait {
  void submit(int, batch<G> const&) {}
  std::string identity() const { return ""; }
};
struct without_identity {
  void submit(int, batch<G> const&) {}
  void wait(int) {}
};
struct of_other_rows {
  void submit(int, int) {}
  void wait(int) {}
  std::string identity() const { return ""; }
};

}  // namespace

TEST_CASE("an evaluator has submit, wait and identity") {
  static_assert(evaluator_for<smallest, G> && evaluator_for<largest, G>);
  static_assert(require_evaluator<smallest, G>());
  static_assert(!evaluator_for<without_wait, G>);
  static_assert(!evaluator_for<without_identity, G>);
  static_assert(!evaluator_for<of_other_rows, G>);
  static_assert(!evaluator_for<smallest, random_position<1, 2, 3, 6, 0>>);
  static_assert(!evaluator_for<smallest, int>);
  filled_batch<G> filled(numbered_positions<G>(1));
  smallest evaluator;
  evaluator.submit(0, filled.view());
  CHECK(filled.values[0] == 0.5f);
}

TEST_CASE("what an evaluator does not say is assumed") {
  smallest evaluator;
  reservation const wanted{layout_of<G>(), 2, 7};
  CHECK(needs_planes(evaluator));
  CHECK_FALSE(moves_rows(evaluator));
  CHECK_FALSE(is_shared(evaluator));
  CHECK(memory_bytes(evaluator, wanted) == 0);
  CHECK_NOTHROW(reserve(evaluator, wanted));
}

TEST_CASE("what an evaluator says is heard") {
  largest evaluator;
  reservation const wanted{layout_of<G>(), 2, 7};
  CHECK_FALSE(needs_planes(evaluator));
  CHECK(moves_rows(evaluator));
  CHECK(is_shared(evaluator));
  CHECK(memory_bytes(evaluator, wanted) == 70);
  reserve(evaluator, wanted);
  CHECK(evaluator.rows == 7);
}
