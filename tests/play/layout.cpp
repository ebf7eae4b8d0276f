#include <batchmate/play/layout.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

namespace bm = batchmate;

namespace {

bm::batch_plan plan(int games, int groups, int max_batch, bool common = true) {
  return {.games = games, .groups = groups, .max_batch = max_batch, .common = common};
}

}  // namespace

TEST_CASE("all games are dealt to workers, as evenly as can be") {
  for (int games : {1, 2, 7, 64})
    for (int threads : {1, 2, 3, 5}) {
      bm::run_layout const l(plan(games, 1, 0), threads, 1, false);
      int sum = 0;
      for (int w = 0; w < threads; ++w) {
        sum += l.games_of(w);
        CHECK(l.games_of(0) - l.games_of(w) <= 1);
        CHECK(l.games_of(0) >= l.games_of(w));
      }
      CHECK(sum == games);
    }
}

TEST_CASE("without a shared evaluator every worker has batches and an evaluator of its own") {
  bm::run_layout const l(plan(12, 2, 0), 3, 5, false);
  CHECK(l.workers_per_batch == 1);
  CHECK(l.evaluators == 3);
  CHECK(l.batches() == 6);
  CHECK(l.rows_per_batch == 2 * 5);  // two of a worker's four games are in a group
  bm::reservation const r = l.reserve(bm::layout_of<nim>());
  CHECK(r.slots == 4);
  CHECK(r.max_rows == 10);
  CHECK(r.layout == bm::layout_of<nim>());
}

TEST_CASE("on a shared evaluator all workers fill common batches, if the policy wants that") {
  bm::run_layout const common(plan(12, 2, 0), 3, 5, true), apart(plan(12, 2, 0, false), 3, 5, true);
  CHECK(common.workers_per_batch == 3);
  CHECK(common.evaluators == 1);
  CHECK(common.batches() == 2);
  CHECK(common.rows_per_batch == 30);
  CHECK(common.reserve(bm::layout_of<nim>()).slots == 4);
  CHECK(apart.workers_per_batch == 1);
  CHECK(apart.evaluators == 1);
  CHECK(apart.batches() == 6);
  CHECK(apart.rows_per_batch == 10);
  CHECK(apart.reserve(bm::layout_of<nim>()).slots == 12);
}

TEST_CASE("a batch has no more rows than its limit, and every worker at least one") {
  CHECK(bm::run_layout(plan(100, 1, 64), 1, 10, false).rows_per_batch == 64);
  CHECK(bm::run_layout(plan(100, 1, 64), 3, 10, true).rows_per_batch == 64);
  CHECK(bm::run_layout(plan(100, 1, 1), 3, 10, true).rows_per_batch == 3);
  CHECK(bm::run_layout(plan(1, 1, 0), 3, 10, false).rows_per_batch == 10);
}

TEST_CASE("plans that cannot be are refused") {
  CHECK_THROWS_AS(bm::run_layout(plan(0, 1, 0), 1, 1, false), bm::contract_error);
  CHECK_THROWS_AS(bm::run_layout(plan(1, 0, 0), 1, 1, false), bm::contract_error);
  CHECK_THROWS_WITH_AS(bm::run_layout(plan(1 << 20, 1, 0), 1, 1 << 20, false),
                       doctest::Contains("set max_batch"), bm::contract_error);
}

TEST_CASE("a memory plan adds up") { CHECK(bm::memory_plan{1, 20, 300, 4000}.total() == 4321); }
