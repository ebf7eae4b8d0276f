#pragma once

#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/proof.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace batchmate {

/// The sums of squares of what a tree's simulations were worth, node by node, into `sums`, (size).
inline void sum_squares(node_arena const& tree, float* sums) {
  std::fill_n(sums, tree.size(), 0.0f);
  for (std::uint32_t n = tree.size(); n-- > 1;) {
    tree_node const& at = tree[n];
    if (at.state >= node_state::terminal)
      sums[n] = final_value(at) * final_value(at) * static_cast<float>(at.visits);
    else
      sums[n] += at.own_value * at.own_value;
    sums[at.parent] += sums[n];
  }
}

/// A move's mean value less `errors` standard errors of it. Of few visits the variance is not known; a prior of
/// 1 / visits^2 values a whole unit off makes it large (KataGo, cpp/search/searchhelpers.cpp).
inline float lower_bound(float visits, float mean, float sum_of_squares, float errors) {
  float const weight = 1 / (visits * visits), square = std::max(sum_of_squares / visits, mean * mean);
  float const variance = (square * visits + (square + 1) * weight) / (visits + weight) - mean * mean;
  return mean - errors * std::sqrt(std::max(variance, 0.0f) / visits);
}

/// One term of the Kullback-Leibler divergence of a training target from a network's policy, in nats. Priors
/// that a network's precision made zero count as 1e-6.
inline float surprise_of(float target, float prior) {
  return target > 0 ? target * std::log(target / std::max(prior, 1e-6f)) : 0;
}

}  // namespace batchmate
