#pragma once

#include <batchmate/batch/concepts.hpp>
#include <batchmate/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace batchmate {

/// What a run will allocate, in bytes.
struct memory_plan {
  std::size_t trees = 0;      ///< search trees, and the games that they belong to
  std::size_t episodes = 0;   ///< records of games in flight, and of finished ones that wait for their turn
  std::size_t batches = 0;    ///< rows and answers
  std::size_t evaluator = 0;  ///< what the evaluators say they need
  std::size_t total() const { return trees + episodes + batches + evaluator; }  ///< all of it
};

/// Who fills which batch: a batching policy's plan, worked out for a number of threads and an evaluator.
struct run_layout {
  batch_plan plan{};          ///< what the policy wants
  int threads = 1;            ///< workers
  int workers_per_batch = 1;  ///< workers that fill one batch together
  int rows_per_batch = 1;     ///< rows of one batch, dealt to its workers as evenly as can be
  int evaluators = 1;         ///< evaluator objects at work

  /// `max_rows` of the search and whether the evaluator is shared decide together with the plan.
  run_layout(batch_plan wanted, int workers, int max_rows, bool shared) : plan(wanted), threads(workers) {
    expects(threads > 0, "self_play: threads must be positive, got ", threads);
    expects(plan.games > 0 && plan.groups > 0, "batching: a plan needs at least one game and one group");
    workers_per_batch = shared && plan.common ? threads : 1;
    evaluators = shared ? 1 : threads;
    std::int64_t const games = (games_of(0) + plan.groups - 1) / plan.groups;
    std::int64_t rows = std::max<std::int64_t>(1, games * max_rows) * workers_per_batch;
    if (plan.max_batch > 0) rows = std::min<std::int64_t>(rows, std::max(plan.max_batch, workers_per_batch));
    expects(rows <= 1 << 24, "batching: a batch of ", rows, " rows is too large; set max_batch");
    rows_per_batch = static_cast<int>(rows);
  }

  int batches() const { return threads / workers_per_batch * plan.groups; }  ///< batches in all
  /// Games in flight of one worker.
  int games_of(int worker) const { return plan.games / threads + (worker < plan.games % threads); }
  /// What each evaluator is told to expect; every batch has two slots that take turns.
  reservation reserve(row_layout const& rows) const {
    return {rows, 2 * (evaluators == 1 ? batches() : plan.groups), rows_per_batch};
  }
};

}  // namespace batchmate
