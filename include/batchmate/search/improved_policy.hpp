#pragma once

#include <batchmate/core/macros.hpp>
#include <batchmate/search/node_arena.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace batchmate {

/// How much the moves' values count against the network's policy in the policy that a search makes of both
/// (Danihelka et al., "Policy improvement by planning with Gumbel", ICLR 2022). With priors P, a move's mean value q
/// of N visits, and the network's value v of the position,
///
///     sigma(q)     = (c_visit + max N) * c_scale * (q + 1) / 2                                  eq. 8
///     completed(a) = q(a) if N(a) > 0, else v_mix                                               eq. 10
///     v_mix        = (v + sum N * (sum P q / sum P)) / (1 + sum N), sums over visited moves     appendix D
///     improved     = softmax(log P + sigma(completed))                                          eq. 11
///
/// Values are in [-1, 1] for the player to move; the paper's are in [0, 1].
struct value_transform {
  float c_visit = 50;  ///< visits that the most visited move has in advance
  float c_scale = 1;   ///< weight of a value of the range [0, 1]

  /// What sigma multiplies a value in [-1, 1] by. Its constant term is left out: it adds the same to all moves.
  double weight(double most_visits) const { return 0.5 * double{c_scale} * (double{c_visit} + most_visits); }
};

/// v_mix of a node with visited moves, from the sums of P and of P * q over these.
inline double mixed_value(tree_node const& at, double priors, double values) {
  double const visits = at.visits;  // one is the node's own evaluation
  return (at.own_value + (visits - 1) * (values / priors)) / visits;
}

/// Writes the improved policy of a node with visited moves to `policy`, (num_edges), in the order of its edges;
/// returns its expected value. Priors must be positive.
inline double improved_policy(node_arena const& tree, std::uint32_t n, value_transform sigma,
                              double* policy) {
  tree_node const& at = tree[n];
  float const* const priors = tree.priors(at);
  double sum_priors = 0, sum_values = 0, most = 0, best = -1;
  for (int i = 0; i < at.num_children; ++i) {
    tree_node const& child = tree[tree.child(at)[i]];
    double const q = policy[i] = -child.value_sum / static_cast<float>(child.visits);
    most = std::max(most, double(child.visits));
    best = std::max(best, q);
    sum_priors += priors[i];
    sum_values += priors[i] * q;
  }
  double const unknown = mixed_value(at, sum_priors, sum_values);
  if (at.num_children < at.num_edges) best = std::max(best, unknown);
  double total = 0, value = 0;
  for (int i = 0; i < at.num_edges; ++i) {
    double const q = i < at.num_children ? policy[i] : unknown;
    policy[i] = priors[i] * std::exp(sigma.weight(most) * (q - best));
    total += policy[i];
    value += policy[i] * q;
  }
  for (int i = 0; i < at.num_edges; ++i) policy[i] /= total;
  return value / total;
}

/// Replaces the first `count` weights, and up to 3 more, by weight * exp(scale * (q - best) - above), which must not
/// be positive in the exponent; returns their sum.
BATCHMATE_INLINE float weigh(float const* q, float scale, float best, float above, int count,
                             float* weights) {
  using four = float __attribute__((vector_size(16)));
  using bits = std::uint32_t __attribute__((vector_size(16)));
  four const least{-87, -87, -87, -87};  // below it, the exponential leaves the range of fp32
  four total{};
  for (int i = 0; i < count; i += 4) {
    four x, weight;
    std::memcpy(&x, q + i, sizeof x);
    std::memcpy(&weight, weights + i, sizeof weight);
    x = (x - best) * scale - above;
    x = x > least ? x : least;
    // exp(x) = 2^n exp(r), n = round(x / log 2). Adding 1.5 * 2^23 leaves n in the lowest bits.
    four const shifted = x * 1.44269504f + 12582912.0f;
    four const n = shifted - 12582912.0f;
    four const r = x - n * 0.693359375f + n * 2.12194440e-4f;  // log 2 in two parts, so that r is exact
    bits power;
    std::memcpy(&power, &shifted, sizeof power);
    power = (power << 23) + 0x3f800000;
    four two_to_n;
    std::memcpy(&two_to_n, &power, sizeof two_to_n);
    four const series =
        1 + r * (1 + r * (1.0f / 2 + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
    weight *= two_to_n * series;
    std::memcpy(weights + i, &weight, sizeof weight);
    total += weight;
  }
  return (total[0] + total[1]) + (total[2] + total[3]);
}

/// Replaces the first `count` weights, and up to 3 more, by weight * share - visits * each; returns the greatest.
BATCHMATE_INLINE float greatest_lack(float* weights, float const* visits, float share, float each,
                                     int count) {
  using four = float __attribute__((vector_size(16)));
  four most{-1e30f, -1e30f, -1e30f, -1e30f};
  for (int i = 0; i < count; i += 4) {
    four weight, seen;
    std::memcpy(&weight, weights + i, sizeof weight);
    std::memcpy(&seen, visits + i, sizeof seen);
    four const lack = weight * share - seen * each;
    std::memcpy(weights + i, &lack, sizeof lack);
    most = lack > most ? lack : most;
  }
  return std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
}

/// The edge of a node, of A at most, whose visits lag most behind its improved policy: that of greatest
/// improved(a) - N(a) / (1 + sum N). Edges within 1e-6 of it count as equal, so that rounding does not choose; then
/// the first is taken. Edges must be in descending order of prior, and `unvisited` the sum of the priors of those
/// without visits: these all have the value v_mix, so that only the first of them can be the one.
template <int A>
BATCHMATE_INLINE int most_lacking_edge(node_arena& tree, tree_node const& at, float unvisited,
                                       value_transform sigma) {
  int const count = at.num_children;
  if (count == 0) return 0;
  float const* const priors = tree.priors(at);
  float const* const q = tree.q(at);
  std::uint32_t const* const child = tree.child(at);
  std::array<float, (A + 3) / 4 * 4> weights, visits;
  float most = 0, best_q = -1;
  double sum_priors = 0, sum_values = 0;
  for (int i = 0; i < count; ++i) {
    weights[i] = priors[i];
    visits[i] = static_cast<float>(tree[child[i]].visits);
    most = std::max(most, visits[i]);
    best_q = std::max(best_q, q[i]);
    sum_priors += priors[i];
    sum_values += double{priors[i]} * q[i];
  }
  for (int i = count; i % 4 != 0; ++i) weights[i] = 0, visits[i] = 1e30f;
  double const scale = sigma.weight(most);
  bool const complete = count == at.num_edges;
  double const lead = complete ? 0 : scale * (mixed_value(at, sum_priors, sum_values) - best_q);
  float const above = static_cast<float>(std::max(lead, 0.0));
  float total = weigh(q, static_cast<float>(scale), best_q, above, count, weights.data());
  float next = -1;  // the first unvisited edge
  if (!complete) {
    float const factor = std::exp(static_cast<float>(lead) - above);
    total += factor * unvisited;
    next = factor * priors[count] / total;
  }
  float const each = 1 / static_cast<float>(at.visits);
  float const best = std::max(next, greatest_lack(weights.data(), visits.data(), 1 / total, each, count));
  int place = 0;
  while (place < count && weights[place] < best - 1e-6f) ++place;
  return place;
}

}  // namespace batchmate
