#include <batchmate/play/statistics.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("rates are counts by seconds, and zero before the clock has run") {
  bm::statistics s;
  CHECK(s.boards_per_second() == 0);
  CHECK(s.games_per_second() == 0);
  CHECK(s.simulations_per_second() == 0);
  CHECK(s.mean_batch() == 0);
  s.seconds = 2;
  s.boards = 300;
  s.episodes = 4;
  s.simulations = 900;
  s.batches = 30;
  CHECK(s.boards_per_second() == 150);
  CHECK(s.games_per_second() == 2);
  CHECK(s.simulations_per_second() == 450);
  CHECK(s.mean_batch() == 10);
}

TEST_CASE("batches that an evaluator counted itself are of the rows that it counted") {
  bm::statistics s;
  s.boards = 300;  // most of them found in a cache
  s.batches = s.evaluator.batches = 4;
  s.evaluator.rows = 100;
  CHECK(s.mean_batch() == 25);
}

TEST_CASE("a worker's counters add up and stay off each other's cache lines") {
  bm::worker_counters counters[2];
  counters[0].boards += 3;
  counters[0].boards += 4;
  CHECK(counters[0].boards.value() == 7);
  CHECK(counters[0].batches.value() == 0);
  CHECK(counters[1].boards.value() == 0);
  CHECK(reinterpret_cast<char*>(&counters[1]) - reinterpret_cast<char*>(&counters[0]) >= 128);
}
