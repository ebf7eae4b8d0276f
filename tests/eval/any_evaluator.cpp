#include <batchmate/core/error.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/eval/uniform.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace bm = batchmate;

namespace {

/// Remembers what it was told.
struct talkative : fake_network {
  std::shared_ptr<bm::reservation> reserved = std::make_shared<bm::reservation>();
  void reserve(bm::reservation const& wanted) { *reserved = wanted; }
  bool needs_planes() const { return false; }
  bool moves_rows() const { return true; }
  bool is_shared() const { return true; }
  std::size_t memory_bytes(bm::reservation const& wanted) const {
    return static_cast<std::size_t>(wanted.max_rows) * 10;
  }
  bm::evaluator_report report() const { return {.batches = 3}; }
  std::shared_ptr<std::byte> allocate(std::size_t) {
    return {reinterpret_cast<std::byte*>(counts.get()), [](std::byte*) {}};
  }
};

struct only_movable : fake_network {
  std::unique_ptr<int> unique = std::make_unique<int>(1);
};

}  // namespace

TEST_CASE("every optional member is passed on") {
  talkative inner;
  bm::any_evaluator<nim> any(inner);
  bm::reservation const wanted{bm::layout_of<nim>(), 4, 17};
  bm::reserve(any, wanted);
  CHECK(inner.reserved->slots == 4);
  CHECK(inner.reserved->max_rows == 17);
  CHECK_FALSE(bm::needs_planes(any));
  CHECK(bm::moves_rows(any));
  CHECK(bm::is_shared(any));
  CHECK(bm::memory_bytes(any, wanted) == 170);
  CHECK(bm::report(any).batches == 3);
  CHECK(any.allocate(8).get() == reinterpret_cast<std::byte*>(inner.counts.get()));
  CHECK(any.identity() == "fake");
}

TEST_CASE("what the evaluator does not say is assumed as for the evaluator itself") {
  bm::any_evaluator<nim> any(fake_network{});
  CHECK(bm::needs_planes(any));
  CHECK_FALSE(bm::moves_rows(any));
  CHECK_FALSE(bm::is_shared(any));
  CHECK(bm::memory_bytes(any, {bm::layout_of<nim>(), 1, 1}) == 0);
  CHECK(bm::report(any).batches == 0);
  CHECK(any.allocate(8) == nullptr);
  CHECK_FALSE(bm::needs_planes(bm::any_evaluator<nim>(bm::uniform{})));
}

TEST_CASE("answers are those of the evaluator inside, submitted and waited for") {
  threaded_network device;
  bm::any_evaluator<nim> any(std::move(device));
  bm::batch_buffer<nim> buffer(any, 2), expected(any, 2);
  for (auto* b : {&buffer, &expected})
    for (int i = 0; i < 2; ++i) {
      b->positions()[i].stones -= i;
      b->rows()[i].legal = b->positions()[i].legal_actions();
      b->rows()[i].encode(b->positions()[i]);
    }
  any.submit(1, buffer.view(0, 2));
  any.wait(1);
  fake_network{}.submit(0, expected.view(0, 2));
  for (int i = 0; i < 2; ++i) {
    CHECK(buffer.view(0, 2).values[i] == expected.view(0, 2).values[i]);
    for (int a = 0; a < 3; ++a)
      CHECK(buffer.view(0, 2).priors_of(i)[a] == expected.view(0, 2).priors_of(i)[a]);
  }
}

TEST_CASE("a copy is a copy of the evaluator inside, and assignment replaces it") {
  talkative inner;
  bm::any_evaluator<nim> any(inner), other(bm::uniform{});
  bm::any_evaluator<nim> const copy(any);
  CHECK(copy.identity() == "fake");
  other = copy;
  CHECK(other.identity() == "fake");
  bm::any_evaluator<nim> moved(std::move(other));
  CHECK(moved.identity() == "fake");
}

TEST_CASE("an evaluator that can only be moved can be held, but not copied") {
  bm::any_evaluator<nim> any(only_movable{});
  CHECK(any.identity() == "fake");
  CHECK_THROWS_AS((bm::any_evaluator<nim>(any)), bm::contract_error);
}

TEST_CASE("any evaluator is an evaluator of its game alone") {
  static_assert(bm::evaluator_for<bm::any_evaluator<nim>, nim>);
  static_assert(!std::constructible_from<bm::any_evaluator<nim>, int>);
  CHECK(bm::require_evaluator<bm::any_evaluator<nim>, nim>());
}
