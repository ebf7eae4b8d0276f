#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/concepts.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace batchmate {

/// How the games in flight are gathered into batches.
struct batch_plan {
  int games = 1;   ///< in flight, over all threads and groups
  int groups = 1;  ///< a worker's games are dealt to this many groups; each has a batch of its own under way
  int max_batch = 0;    ///< the most rows of one batch, but at least one a worker; 0: all its games can give
  bool common = false;  ///< on a shared evaluator all workers fill one batch a group, else each has its own
};

/// Decides which positions of which games are evaluated together. It never changes the games.
///
/// A type B models `batching` if it is a copyable aggregate with
///  1. `batch_plan plan(int threads) const`, for so many worker threads;
///  2. `std::string identity() const`.
/// Optional: `connect<G>(evaluator)`, which returns the evaluator the workers use instead.
///
/// Ships, and when to use which:
///  - `immediate`: one position at a time; to compare with, and to debug;
///  - `per_tree`: all the rows one tree can give at once; one game at a time a thread, for a wide search and latency;
///  - `lockstep`: one step of all games together; the default on a CPU;
///  - `overlapped`: the games in groups, so that the host searches one while the device evaluates another; the
///    default on a device;
///  - `shared_queue`: batches of many threads meet in a queue, which engines with threads of their own use directly:
///    `evaluation_queue`.
template <class B>
concept batching = std::copyable<B> && requires(B const& policy, int threads) {
  { policy.plan(threads) } -> std::same_as<batch_plan>;
  { policy.identity() } -> std::convertible_to<std::string>;
};

/// The evaluator that workers use under a batching policy: usually the one given.
template <game G, class B, class E>
auto connect(B const& policy, E evaluator) {
  if constexpr (requires { policy.template connect<G>(std::move(evaluator)); })
    return policy.template connect<G>(std::move(evaluator));
  else
    return evaluator;
}

/// True for every batching policy; for any other type a compile error whose first sentence says what is missing.
template <class B>
consteval bool require_batching() {
  static_assert(
      requires(B const& b) {
        { b.plan(1) } -> std::same_as<batch_plan>;
      },
      "batchmate::batching: needs 'batchmate::batch_plan plan(int threads) const'");
  static_assert(batching<B>,
                "batchmate::batching: must be copyable and needs 'std::string identity() const'");
  return true;
}

}  // namespace batchmate
