#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>

namespace bm = batchmate;

TEST_CASE("shared_queue models batching; its plan and identity follow from its settings") {
  static_assert(bm::batching<bm::shared_queue>);
  bm::shared_queue const policy{.games = 9, .groups = 3, .max_batch = 7};
  bm::batch_plan const plan = policy.plan(2);
  CHECK(plan.games == 9);
  CHECK(plan.groups == 3);
  CHECK_FALSE(plan.common);
  CHECK(policy.plan(3).groups == 3);
  CHECK(policy.plan(4).groups == 2);  // or a thread would have a group without a game
  CHECK(policy.plan(9).groups == 1);
  CHECK(policy.plan(10).groups == 1);
  CHECK(policy.identity() == "shared_queue games=9 groups=3 max_batch=7 deadline=500us processors=1");
  CHECK_THROWS_AS((bm::shared_queue{.games = 0}.plan(1)), bm::contract_error);
  CHECK_THROWS_AS((bm::shared_queue{.groups = 0}.plan(1)), bm::contract_error);
  CHECK_THROWS_AS((bm::shared_queue{}.plan(0)), bm::contract_error);
  CHECK_THROWS_AS((bm::shared_queue{.max_batch = 0}.plan(1)), bm::contract_error);
}

namespace {

/// Answers nothing; says what it needs, and writes down what it is told to expect.
struct counting_network {
  int* rows;
  void submit(int, bm::batch<nim> const&) const {}
  void wait(int) const {}
  std::string identity() const { return "counting"; }
  void reserve(bm::reservation const& wanted) const { *rows = wanted.max_rows; }
  std::size_t memory_bytes(bm::reservation const& wanted) const {
    return 1000 * static_cast<std::size_t>(wanted.max_rows);
  }
};

}  // namespace

TEST_CASE("batches have no more rows than can be in flight, and each processor's memory is counted") {
  int told = 0;
  auto queue = bm::shared_queue{.max_batch = 100, .processors = 3}.connect<nim>(counting_network{&told});
  for (auto const& [slots, rows, expected] : {std::tuple{1, 6, 6}, {2, 6, 12}, {8, 6, 48}, {40, 6, 100}}) {
    bm::reservation const wanted{bm::layout_of<nim>(), slots, rows};
    queue.reserve(wanted);
    CHECK(told == expected);
    auto const most = static_cast<std::size_t>(expected);
    auto const requests = 5 * most + static_cast<std::size_t>(slots * rows);  // of five pointers and a time
    CHECK(queue.memory_bytes(wanted) ==
          3 * 1000 * most + 5 * bm::batch_buffer<nim>::bytes(expected) + requests * 6 * sizeof(void*));
  }
}

TEST_CASE("self-play through the queue counts the batches that were evaluated, and meets in them") {
  auto const counts = std::make_shared<fake_counts>();
  bm::self_play play{nim{}, bm::puct{.simulations = 8}, bm::shared_queue{.games = 12}, fake_network{counts}};
  for (int run = 0; run < 2; ++run) {
    counts->batches = counts->rows = 0;
    bm::statistics const done = play.run({.episodes = 30, .threads = 3}, [](bm::episode<nim> const&) {});
    CHECK(done.episodes == 30);
    CHECK(done.boards == counts->rows);
    CHECK(done.batches == counts->batches);
  }
  CHECK(counts->largest > 2);  // a thread alone has two games in a group
}

TEST_CASE("nobody waits for groups and threads that have no game") {
  for (int threads : {1, 2, 3}) {
    bm::self_play play{nim{}, bm::puct{.simulations = 8},
                       bm::shared_queue{.games = 1, .groups = 3, .deadline = std::chrono::hours(1)},
                       fake_network{}};
    CHECK(play.run({.episodes = 2, .threads = threads}, [](bm::episode<nim> const&) {}).episodes == 2);
  }
}

TEST_CASE("an exception of the evaluator or of the sink ends a run through the queue") {
  for (int threads : {1, 2, 3}) {
    bm::puct const search{.simulations = 8};
    bm::self_play failing{nim{}, search, bm::shared_queue{.games = 12}, failing_network{20}};
    CHECK_THROWS_AS(failing.run({.episodes = 300, .threads = threads}, [](bm::episode<nim> const&) {}),
                    planned_failure);
    bm::self_play full{nim{}, search, bm::shared_queue{.games = 12, .processors = 2}, threaded_network{}};
    CHECK_THROWS_AS(full.run({.episodes = 300, .threads = threads},
                             [](bm::episode<nim> const&) { throw std::domain_error("disk full"); }),
                    std::domain_error);
  }
}
