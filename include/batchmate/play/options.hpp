#pragma once

#include <batchmate/play/statistics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>

namespace batchmate {

/// What to play.
struct run_options {
  std::int64_t episodes = 1;       ///< games to play
  std::uint64_t seed = 1;          ///< same seed, same games, whatever the batching and threads
  int threads = 1;                 ///< worker threads
  std::int64_t first_episode = 0;  ///< number of the first game
  std::int64_t stride = 1;         ///< between numbers: rank r of n plays r, r + n, r + 2 n, ...
  std::size_t memory_limit = 0;    ///< bytes; a run that could need more is refused. 0: no limit
  std::chrono::milliseconds progress_every{1000};     ///< how often `progress` is called
  std::function<void(statistics const&)> progress{};  ///< called in the thread that called `run`
  std::stop_token
      stop{};  ///< once requested, begun games are given up at their next step, finished ones delivered
};

}  // namespace batchmate
