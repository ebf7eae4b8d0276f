#include <batchmate/batch/concepts.hpp>
#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/per_tree.hpp>
#include <batchmate/eval/uniform.hpp>

#include "../support/any_batching.hpp"
#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>

namespace bm = batchmate;

namespace {

struct without_plan {
  std::string identity() const { return "no plan"; }
};
struct without_identity {
  bm::batch_plan plan(int) const { return {}; }
};
struct not_copyable : bm::lockstep {
  std::unique_ptr<int> own;
};
/// A policy that puts another evaluator in the place of every one.
struct connecting : bm::lockstep {
  template <bm::game G, class E>
  fake_network connect(E) const {
    return {};
  }
};

}  // namespace

TEST_CASE("the shipped policies model batching") {
  static_assert(bm::batching<bm::immediate> && bm::batching<bm::per_tree> && bm::batching<bm::lockstep> &&
                bm::batching<bm::overlapped> && bm::batching<any_batching>);
  CHECK(bm::require_batching<bm::immediate>());
  CHECK(bm::require_batching<bm::overlapped>());
}

TEST_CASE("near-misses are no policies") {
  CHECK_FALSE(bm::batching<without_plan>);
  CHECK_FALSE(bm::batching<without_identity>);
  CHECK_FALSE(bm::batching<not_copyable>);
  CHECK_FALSE(bm::batching<int>);
}

TEST_CASE("a policy that connects nothing leaves the evaluator as it is, another replaces it") {
  CHECK(bm::connect<nim>(bm::lockstep{}, bm::uniform{}).identity() == "uniform");
  CHECK(bm::connect<nim>(connecting{}, bm::uniform{}).identity() == "fake");
}
