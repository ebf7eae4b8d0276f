#pragma once

#include <batchmate/play/statistics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

namespace batchmate {

/// What becomes of an episode whose turn it is.
enum class admission {
  play,  ///< it begins
  skip,  ///< it is not played: its data are there already
  end    ///< neither it nor any later one begins; the run ends when the begun ones have
};

/// What to play.
struct run_options {
  std::int64_t episodes = 1;       ///< games to play
  std::uint64_t seed = 1;          ///< same seed, same games, whatever the batching and threads
  int threads = 1;                 ///< worker threads
  int network = 0;                 ///< noted in every sample: which of the caller's networks this run asks
  std::int64_t first_episode = 0;  ///< number of the first game
  std::int64_t stride = 1;         ///< between numbers: rank r of n plays r, r + n, r + 2 n, ...
  /// Share of the games in which nobody is let resign, to see how often a resignation is wrong. Which ones is
  /// a function of seed and number. Searches advise to resign only if they are told to. AlphaGo Zero played 10 % of
  /// its games through (Silver et al., Nature 550, 2017).
  float play_through = 0.1f;
  bool in_order = true;  ///< episodes reach the sink in the order of their numbers; else as they finish
  std::function<admission(std::int64_t)> admit{};  ///< asked for every number in turn, never by two at once
  std::size_t memory_limit = 0;  ///< bytes; a run that could need more is refused. 0: no limit
  std::chrono::milliseconds progress_every{1000};     ///< how often `progress` is called
  std::function<void(statistics const&)> progress{};  ///< called in the thread that called `run`
  std::chrono::milliseconds stalled_after{0};         ///< without a batch: `stalled` is called. 0: never
  /// Called after `stalled_after` with what every worker is at, by its index.
  std::function<void(std::vector<activity> const&)> stalled{};
  /// Once requested, begun games end at their next step, finished ones are delivered.
  std::stop_token stop{};
};

}  // namespace batchmate
