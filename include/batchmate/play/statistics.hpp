#pragma once

#include <batchmate/eval/report.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace batchmate {

/// What a run has done so far. Everything but `planned_bytes` is counted or timed.
struct statistics {
  std::int64_t episodes = 0;        ///< games finished
  std::int64_t rows = 0;            ///< moves of these, one training row each
  std::int64_t in_flight = 0;       ///< games being played
  std::int64_t first_won = 0;       ///< games that whoever moved first in them won
  std::int64_t drawn = 0;           ///< games without a winner
  std::int64_t resigned = 0;        ///< games that ended by resignation
  std::int64_t played_through = 0;  ///< games in which somebody would have resigned, but was not let
  std::int64_t saved = 0;           ///< of these, those that the one who would have did not lose
  std::uint64_t boards = 0;         ///< positions that searches had evaluated
  std::uint64_t simulations = 0;    ///< new simulations, of moves that have been made
  std::uint64_t batches = 0;        ///< batches evaluated
  double seconds = 0;               ///< wall time
  double search_share = 0;          ///< share of the workers' time, until they end, in search and game rules
  double encoding_share = 0;        ///< share spent packing positions
  double evaluator_share = 0;  ///< share spent in the evaluator's submit: all its work if it runs on the host
  double waiting_share = 0;    ///< share spent waiting for an evaluator, other workers or a game to begin
  std::size_t planned_bytes = 0;    ///< memory predicted before the run
  std::uint64_t episodes_hash = 0;  ///< of the moves, targets and values of all games, in whatever order
  evaluator_report evaluator;       ///< what the evaluators counted themselves

  /// Positions evaluated a second of wall time.
  double boards_per_second() const { return per_second(static_cast<double>(boards)); }
  /// Games finished a second.
  double games_per_second() const { return per_second(static_cast<double>(episodes)); }
  /// New simulations a second.
  double simulations_per_second() const { return per_second(static_cast<double>(simulations)); }
  /// The share of resignations that were wrong, as far as games that were played through tell; nothing if none was.
  std::optional<double> wrong_resignations() const {
    if (played_through == 0) return {};
    return static_cast<double>(saved) / static_cast<double>(played_through);
  }
  /// Rows a batch, as the evaluator counted both if it did.
  double mean_batch() const {
    std::uint64_t const evaluated = evaluator.batches > 0 ? evaluator.rows : boards;
    return batches > 0 ? static_cast<double>(evaluated) / static_cast<double>(batches) : 0;
  }

 private:
  double per_second(double count) const { return seconds > 0 ? count / seconds : 0; }
};

/// What a worker is at.
enum class activity : int {
  searching,          ///< search, game rules and the sink
  encoding,           ///< packing positions
  submitting,         ///< in the evaluator's `submit`
  awaiting_workers,   ///< other workers have not filled their part of the batch
  awaiting_answers,   ///< the evaluator has not answered
  awaiting_episodes,  ///< no episode may begin before older ones have ended
  ended               ///< its work is over
};

/// The activity in words, for people.
inline std::string_view to_text(activity at) {
  constexpr std::array<std::string_view, 7> words{"searching",
                                                  "encoding",
                                                  "submitting to the evaluator",
                                                  "waiting for other workers to fill the batch",
                                                  "waiting for the evaluator's answers",
                                                  "waiting for older episodes to end",
                                                  "done"};
  return words[static_cast<std::size_t>(at)];
}

/// What one worker counts; it alone writes, anyone may read. A cache line of its own keeps workers apart.
struct alignas(128) worker_counters {
  /// A number that one thread adds to.
  class counter {
   public:
    void operator+=(std::uint64_t n) { value_.store(value() + n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> value_{0};
  };

  std::atomic<activity> now{activity::searching};  ///< what it is at

  counter boards;       ///< rows pushed
  counter batches;      ///< batches submitted by this worker
  counter simulations;  ///< of moves made
  counter search;       ///< ticks
  counter encoding;     ///< ticks
  counter evaluator;    ///< ticks
  counter waiting;      ///< ticks
};

}  // namespace batchmate
