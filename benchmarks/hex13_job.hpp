#pragma once

#include "measure.hpp"

#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/per_tree.hpp>
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/eval/any_evaluator.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/top_k.hpp>

#include <string>
#include <variant>

namespace batchmate::benchmarks {

using hex13 = hex<13>;
/// A search and a batching policy that are chosen at run time, so that every combination compiles once.
using any_search = std::variant<puct, top_k>;
using any_policy = std::variant<immediate, per_tree, lockstep, overlapped, shared_queue>;

/// Plays 13x13 Hex.
measured play_hex13(any_search const& search, any_policy const& policy, any_evaluator<hex13> evaluator,
                    int threads, run_length const& length);

/// The searches of the ladder: the reference job's tree of widths 6,10, and `puct` with 100 simulations and 8
/// leaves in flight, so that one tree has rows to give.
inline any_search search_named(std::string const& name) {
  if (name == "top_k") return top_k{.widths = {6, 10}};
  return puct{.simulations = 100, .leaves = 8};
}

}  // namespace batchmate::benchmarks
