#pragma once

#include <batchmate/batch/concepts.hpp>

namespace batchmate {

/// One game at a time a thread, with all the rows its search can give at once as a batch.
struct per_tree {
  batch_plan plan(int threads) const { return {.games = threads}; }
  std::string identity() const { return "per_tree"; }
};

}  // namespace batchmate
