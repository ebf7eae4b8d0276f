#pragma once

#include <batchmate/batch/concepts.hpp>

namespace batchmate {

/// The games in two or more groups, each with a batch of its own: while the device evaluates one group, the
/// host searches the next. Without a device it is `lockstep` with smaller batches.
struct overlapped {
  int games = 128;       ///< in flight, over all threads and groups
  int groups = 2;        ///< batches that may be under way
  int max_batch = 4096;  ///< rows; a group that could give more takes several batches a step. 0: no limit

  batch_plan plan(int) const {
    expects(groups > 0, "overlapped: groups must be positive, got ", groups);
    expects(games >= groups, "overlapped: games must be at least one a group, got ", games, " for ", groups,
            " groups");
    expects(max_batch >= 0, "overlapped: max_batch must not be negative, got ", max_batch);
    return {.games = games, .groups = groups, .max_batch = max_batch, .common = true};
  }
  std::string identity() const {
    return concat("overlapped games=", games, " groups=", groups, " max_batch=", max_batch);
  }
};

}  // namespace batchmate
