#pragma once

#include <batchmate/batch/concepts.hpp>

namespace batchmate {

/// One step of all games together, then one evaluation for all of them.
struct lockstep {
  int games = 64;        ///< in flight, over all threads
  int max_batch = 4096;  ///< rows; a group that could give more takes several batches a step. 0: no limit

  batch_plan plan(int) const {
    expects(games > 0, "lockstep: games must be positive, got ", games);
    expects(max_batch >= 0, "lockstep: max_batch must not be negative, got ", max_batch);
    return {.games = games, .max_batch = max_batch, .common = true};
  }
  std::string identity() const { return concat("lockstep games=", games, " max_batch=", max_batch); }
};

}  // namespace batchmate
