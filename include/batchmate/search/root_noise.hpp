#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/search/puct_options.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace batchmate {

/// Takes the priors of `count` moves to the power of 1 / temperature and makes them sum to 1 again.
inline void soften_priors(float* priors, int count, float temperature) {
  double const most = *std::max_element(priors, priors + count);
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::pow(priors[i] / most, 1.0 / temperature);
  for (int i = 0; i < count; ++i)
    priors[i] = static_cast<float>(std::pow(priors[i] / most, 1.0 / temperature) / sum);
}

/// The shares of a Dirichlet noise's concentration that `count` moves get, summing to 1: half is spread evenly,
/// half goes to the moves of more than the average log-prior, in proportion to that excess (KataGo's shaped
/// noise, docs/KataGoMethods.md). Priors count as 0.01 at most, so that a blind spot of a thousandth that stands out from
/// hopeless moves gets nearly as much as the favourite.
inline void shape_noise(float const* priors, int count, double* shares) {
  double mean = 0, excess = 0;
  for (int i = 0; i < count; ++i) mean += shares[i] = std::log(std::min(0.01, double{priors[i]}) + 1e-20);
  mean /= count;
  for (int i = 0; i < count; ++i) excess += shares[i] = std::max(0.0, shares[i] - mean);
  for (int i = 0; i < count; ++i)
    shares[i] = excess > 0 ? 0.5 * (shares[i] / excess + 1.0 / count) : 1.0 / count;
}

/// Makes the priors of a root's `count` moves those that its search goes by: the temperature first, then the
/// noise, if there is to be any. Moves are drawn for in the order of their actions, all below A, so that it does
/// not matter how they are sorted. Where concentrations are so small that every draw is 0, one
/// move gets all the noise, with a chance in proportion to its concentration: the limit of the distribution.
template <int A>
void prepare_priors(float* priors, std::uint16_t const* actions, int count, puct const& settings, bool noisy,
                    random_key key) {
  if (settings.root_temperature != 1) soften_priors(priors, count, settings.root_temperature);
  if (!noisy) return;
  double const alpha = settings.noise_alpha > 0 ? settings.noise_alpha : 10.0 / count;
  std::array<double, A> concentration, noise;  // by action; the former is -1 where that is not legal
  concentration.fill(-1);
  if (settings.noise_shaped) {
    std::array<double, A> shares;
    shape_noise(priors, count, shares.data());
    for (int i = 0; i < count; ++i) concentration[actions[i]] = alpha * count * shares[i];
  } else {
    for (int i = 0; i < count; ++i) concentration[actions[i]] = alpha;
  }
  random_stream random{key};
  double sum = 0;
  for (int a = 0; a < A; ++a)
    if (concentration[a] >= 0) sum += noise[a] = random.gamma(concentration[a]);
  if (sum == 0) {
    double rest = random.uniform() * alpha * count;
    int drawn = 0;
    for (int a = 0; a < A && rest >= 0; ++a)
      if (concentration[a] >= 0) rest -= concentration[drawn = a];
    noise[drawn] = sum = 1;
  }
  float const share = settings.noise_fraction;
  for (int i = 0; i < count; ++i)
    priors[i] = (1 - share) * priors[i] + share * static_cast<float>(noise[actions[i]] / sum);
}

}  // namespace batchmate
