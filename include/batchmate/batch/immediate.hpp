#pragma once

#include <batchmate/batch/concepts.hpp>

namespace batchmate {

/// One position at a time, one game at a time a thread: how an engine without batching asks its network.
struct immediate {
  batch_plan plan(int threads) const { return {.games = threads, .max_batch = 1}; }
  std::string identity() const { return "immediate"; }
};

}  // namespace batchmate
