#include <batchmate/play/running.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace bm = batchmate;

namespace {

struct only_movable : fake_network {
  std::unique_ptr<int> unique = std::make_unique<int>(1);
};
struct reserving : threaded_network {
  using threaded_network::threaded_network;
  std::shared_ptr<std::atomic<int>> reserved = std::make_shared<std::atomic<int>>(0);
  void reserve(bm::reservation const&) { ++*reserved; }
};

/// A fake network that hangs from its n-th batch on, counted over all copies, until it is let go.
struct hanging_network {
  enum class place { submit, wait };
  place where = place::submit;
  bool shared = true;
  std::uint64_t hangs_at = 5;
  fake_network network{};
  std::shared_ptr<std::atomic<bool>> let_go = std::make_shared<std::atomic<bool>>(false);

  template <bm::game G>
  void submit(int, bm::batch<G> const& rows) const {
    network.answer(rows.raw());
    if (where == place::submit) hang();
  }
  void wait(int) const {
    if (where == place::wait) hang();
  }
  void hang() const {
    if (network.counts->batches >= hangs_at) let_go->wait(false);
  }
  bool is_shared() const { return shared; }
  std::string identity() const { return "hanging"; }
};

template <class E>
bm::statistics run(E& evaluator, bm::run_options const& options, std::int64_t& delivered) {
  bm::puct const search{.simulations = 5};
  bm::run_layout const layout({.games = 6, .groups = 2, .common = true}, options.threads, 1,
                              bm::is_shared(evaluator));
  return bm::running<nim, bm::puct, E>(bm::openings<nim>{}, search, evaluator, layout, options, 10'000,
                                       [&](bm::episode<nim> const&) { ++delivered; })
      .play();
}

}  // namespace

TEST_CASE("each evaluator at work is told once what to expect") {
  for (bool shared : {true, false}) {
    threaded_network::settings with;
    with.shared = shared;
    reserving evaluator(with);
    std::int64_t delivered = 0;
    run(evaluator, {.episodes = 9, .threads = 3}, delivered);
    CHECK(delivered == 9);
    CHECK(*evaluator.reserved == (shared ? 1 : 3));
  }
}

TEST_CASE("an evaluator that is neither shared nor copyable is refused") {
  only_movable evaluator;
  std::int64_t delivered = 0;
  CHECK_THROWS_WITH_AS(run(evaluator, {.episodes = 1}, delivered), doctest::Contains("must be copyable"),
                       bm::contract_error);
}

TEST_CASE("what is finished is delivered even if the run fails") {
  for (std::uint64_t at : {40, 60}) {
    failing_network evaluator{at};
    std::int64_t delivered = 0;
    CHECK_THROWS_AS(run(evaluator, {.episodes = 100}, delivered), planned_failure);
    CHECK(delivered > 0);
    CHECK(delivered < 100);
  }
}

TEST_CASE("a stall is reported with what every worker waits for, and the run goes on when it is over") {
  using bm::activity;
  struct stall {
    hanging_network::place where;
    bool shared;
    std::vector<activity> expected;  // of the workers, sorted
  };
  for (stall const& s : {
           stall{hanging_network::place::submit, false, {3, activity::submitting}},
           stall{hanging_network::place::submit,
                 true,
                 {activity::submitting, activity::awaiting_workers, activity::awaiting_workers}},
           stall{hanging_network::place::wait, true, {3, activity::awaiting_answers}},
       }) {
    hanging_network evaluator{s.where, s.shared};
    std::vector<activity> last;
    int reports = 0;
    bm::run_options options{.episodes = 40, .threads = 3};
    options.stalled_after = std::chrono::milliseconds(5);
    options.stalled = [&](std::vector<activity> const& at) {
      if (*evaluator.let_go) return;
      last = at;
      std::sort(last.begin(), last.end());
      // On a busy machine nothing may happen for long, before the workers have come to where they hang.
      if (last != s.expected && ++reports < 10'000) return;
      *evaluator.let_go = true;
      evaluator.let_go->notify_all();
    };
    std::int64_t delivered = 0;
    run(evaluator, options, delivered);
    CHECK(last == s.expected);
    CHECK(delivered == 40);
  }
}

TEST_CASE("where batches are evaluated no stall is reported, however long the run takes") {
  fake_network evaluator;
  int reports = 0;
  bm::run_options options{.episodes = 200, .threads = 2};
  options.stalled_after = std::chrono::hours(1);
  options.progress_every = std::chrono::milliseconds(1);
  options.stalled = [&](std::vector<bm::activity> const&) { ++reports; };
  std::int64_t delivered = 0;
  run(evaluator, options, delivered);
  CHECK(delivered == 200);
  CHECK(reports == 0);
}
