#include <batchmate/play/worker.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

namespace bm = batchmate;

namespace {

/// A worker with its groups, its own evaluator and a delivery that notes what arrives.
struct workplace {
  fake_network evaluator;
  std::vector<std::int64_t> delivered;
  bm::run_options options;
  bm::delivery<nim> episodes;
  bm::openings<nim> opening;
  std::stop_source stop;
  bm::worker_counters counters;
  std::vector<std::unique_ptr<bm::batch_group<nim>>> groups;

  workplace(std::int64_t count, int num_groups, int capacity, std::size_t most_waiting = 100'000)
      : options{.episodes = count}, episodes(options, most_waiting, [this](bm::episode<nim> const& e) {
          delivered.push_back(e.number);
        }) {
    for (int g = 0; g < num_groups; ++g)
      groups.push_back(std::make_unique<bm::batch_group<nim>>(evaluator, 2 * g, 1, capacity));
  }

  void run(int games, bm::puct const& search = {.simulations = 6}) {
    std::vector<bm::batch_group<nim>*> mine;
    for (auto& g : groups) mine.push_back(g.get());
    bm::worker<nim, bm::puct, fake_network>(0, games, search, evaluator, mine,
                                            {episodes, bm::random_key{1}, 3, 0.0f, opening, stop.get_token()},
                                            counters)
        .run();
  }
};

}  // namespace

TEST_CASE(
    "a worker plays all episodes there are, in any number of groups, with any number of games and rows") {
  for (int groups : {1, 2, 5})
    for (int games : {1, 4, 9})
      for (int capacity : {1, 3, 20}) {
        workplace here(12, groups, capacity);
        here.run(games);
        CHECK(here.delivered.size() == 12);
        CHECK(here.counters.boards.value() == here.evaluator.counts->rows);
        CHECK(here.counters.batches.value() == here.evaluator.counts->batches);
        CHECK(here.counters.simulations.value() > 0);
        CHECK(here.counters.search.value() > 0);
      }
}

TEST_CASE("a batch is filled by all games of its group") {
  workplace here(40, 1, 20);
  here.run(20);
  CHECK(here.evaluator.counts->largest == 20);
}

TEST_CASE("where no game may overtake another, games wait but none is lost") {
  workplace here(30, 2, 8, 0);
  here.run(8);
  CHECK(here.delivered.size() == 30);
  workplace free(30, 2, 8);
  free.run(8);
  CHECK(here.delivered == free.delivered);
  CHECK(here.evaluator.counts->batches > free.evaluator.counts->batches);
}

TEST_CASE("a worker that is told to stop gives its games up") {
  workplace here(1000, 2, 8);
  here.stop.request_stop();
  here.run(8);
  CHECK(here.delivered.empty());
  CHECK(here.evaluator.counts->rows == 0);
}

TEST_CASE("a worker without games ends when there is nothing to begin") {
  workplace here(0, 2, 8);
  here.run(0);
  CHECK(here.counters.boards.value() == 0);
}
