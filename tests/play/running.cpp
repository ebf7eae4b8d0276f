#include <batchmate/play/running.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"
#include "../support/threaded_network.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>

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

template <class E>
bm::statistics run(E& evaluator, bm::run_options const& options, std::int64_t& delivered) {
  bm::puct const search{.simulations = 5};
  bm::run_layout const layout({.games = 6, .groups = 2, .common = true}, options.threads, 1,
                              bm::is_shared(evaluator));
  return bm::running<nim, bm::puct, E>(nim{}, search, evaluator, layout, options, 100,
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
