#pragma once

#include <batchmate/batch/concepts.hpp>
#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/batch/overlapped.hpp>
#include <batchmate/batch/per_tree.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <vector>

/// The plan of any batching policy, chosen at run time. It connects nothing.
struct any_batching {
  template <class B>
  requires(!std::same_as<B, any_batching> && batchmate::batching<B>)
      any_batching(B policy)  // NOLINT: converts on purpose
      : plan_([policy](int threads) { return policy.plan(threads); }), identity_(policy.identity()) {}

  batchmate::batch_plan plan(int threads) const { return plan_(threads); }
  std::string identity() const { return identity_; }

  /// Every policy, with a limit of `max_batch` rows where it has one.
  static std::vector<any_batching> all(int max_batch) {
    return {batchmate::immediate{}, batchmate::per_tree{},
            batchmate::lockstep{.games = 11, .max_batch = max_batch},
            batchmate::overlapped{.games = 13, .groups = 3, .max_batch = max_batch}};
  }

 private:
  std::function<batchmate::batch_plan(int)> plan_;
  std::string identity_;
};
