#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/proof.hpp>

#include <algorithm>
#include <array>
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
/// 1 / visits^2 values a whole unit off makes it large, and they count as so much less than one value each as their
/// weights are uneven (KataGo, cpp/search/searchhelpers.cpp).
inline float lower_bound(float visits, float mean, float sum_of_squares, float errors) {
  float const weight = 1 / (visits * visits), square = std::max(sum_of_squares / visits, mean * mean);
  float const variance = (square * visits + (square + 1) * weight) / (visits + weight) - mean * mean;
  float const effective = (visits + weight) * (visits + weight) / (visits + weight * weight);
  return mean - errors * std::sqrt(std::max(variance, 0.0f) / effective);
}

/// Draws one of `n` moves, at most A, in proportion to weight^(1 / temperature); `most` is one of greatest weight.
template <int A>
int draw_move(float const* weights, int n, int most, float temperature, random_key key) {
  std::array<double, A> scaled;
  double total = 0;
  for (int i = 0; i < n; ++i) {
    scaled[i] = double{weights[i]} / weights[most];
    if (temperature != 1) scaled[i] = std::pow(scaled[i], 1.0 / temperature);
    total += scaled[i];
  }
  double rest = random_stream{key}.uniform() * total;
  for (int i = 0; i < n; ++i)
    if ((rest -= scaled[i]) < 0) return i;
  return most;
}

/// The visits that a root move must have had before others are considered, once it has had one: sqrt(factor * P *
/// all visits) (forced playouts: Wu, arXiv 1902.10565, section 3.2).
inline float forced_visits(float prior, float all_visits, float factor) {
  return std::sqrt(factor * prior * all_visits);
}

/// Takes out of the weights, which are visits, those that were only forced: from every move but the most visited
/// one as many of the forced ones as leave its bound, value + scale * P / (1 + visits), below that move's, and the
/// last one, too, if no more is left (policy target pruning, as above). Weights of 0 stay. Returns the sum.
inline float prune_forced(float const* priors, float const* values, float* weights, int count, float scale,
                          float all_visits, float factor) {
  int const most = static_cast<int>(std::max_element(weights, weights + count) - weights);
  float const bound = values[most] + scale * priors[most] / (1 + weights[most]);
  float sum = 0;
  for (int i = 0; i < count; ++i) {
    float left = weights[i];
    if (i != most && left > 0) {
      float const least = std::max(0.0f, left - std::floor(forced_visits(priors[i], all_visits, factor)));
      while (left > least && values[i] + scale * priors[i] / left < bound) --left;
      if (left < weights[i] && left <= 1) left = 0;
    }
    sum += weights[i] = left;
  }
  return sum;
}

/// The Kullback-Leibler divergence of a training target from a network's policy, in nats, move by move. Equal
/// targets in a row share one logarithm, which saves most of them where many moves had one visit.
class surprise_sum {
 public:
  /// Adds a move. Priors that a network's precision made zero count as 1e-6.
  void add(float target, float prior) {
    if (target < 1e-9f) return;  // next to nothing, and a product of many might be 0
    if (target != target_ || ++count_ > 32) {
      flush();
      target_ = target;
    }
    ratios_ *= double{target} / std::max(prior, 1e-6f);
  }

  /// The sum so far; not negative if all moves have been added.
  float total() {
    flush();
    return static_cast<float>(std::max(sum_, 0.0));  // it may be by rounding
  }

 private:
  void flush() {
    if (target_ > 0) sum_ += target_ * std::log(ratios_);
    ratios_ = 1;
    count_ = 1;
  }

  double sum_ = 0,
         ratios_ = 1;  // `ratios_`: of target and prior, multiplied over the moves since the last flush
  float target_ = 0;   // of these moves
  int count_ = 0;      // how many they are
};

}  // namespace batchmate
