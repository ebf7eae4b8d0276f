#pragma once

#include <batchmate/cuda/precision.hpp>
#include <batchmate/eval/reference.hpp>

#include "../eval/network_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

/// How far an evaluator is from `reference`.
struct disagreement {
  float value = 0;  ///< the largest difference of a value
  float prior = 0;  ///< the largest difference of a prior, relative to the row's largest prior
};

/// Evaluates positions by both, into arrays filled with NaN, and compares: a value or prior that was not written is an
/// infinite difference.
template <batchmate::game G, class E>
disagreement compare_with_reference(batchmate::network const& net, E& evaluator,
                                    std::vector<G> const& positions) {
  filled_batch<G> found(positions), expected(positions);
  std::fill(found.values.begin(), found.values.end(), std::numeric_limits<float>::quiet_NaN());
  std::fill(found.priors.begin(), found.priors.end(), std::numeric_limits<float>::quiet_NaN());
  int const count = static_cast<int>(positions.size());
  batchmate::reference reference(net);
  reference.reserve({batchmate::layout_of<G>(), 1, count});
  reference.submit(0, expected.view());
  batchmate::reserve(evaluator, {batchmate::layout_of<G>(), 1, count});
  evaluator.submit(0, found.view());
  evaluator.wait(0);
  disagreement worst;
  auto const grow = [](float& largest, float x) {
    largest = std::isfinite(x) ? std::max(largest, x) : std::numeric_limits<float>::infinity();
  };
  for (int b = 0; b < count; ++b) {
    std::size_t const i = static_cast<std::size_t>(b);
    grow(worst.value, std::abs(found.values[i] - expected.values[i]));
    int const legal = found.rows[i].legal.count();
    float const* const right = expected.view().priors_of(b);
    float const largest = *std::max_element(right, right + legal);
    for (int a = 0; a < legal; ++a)
      grow(worst.prior, std::abs(found.view().priors_of(b)[a] - right[a]) / largest);
  }
  return worst;
}

/// What a precision may be off: 1e-4 for fp32, 2e-2 for the others.
inline float tolerance(batchmate::cuda::precision p) {
  return p == batchmate::cuda::precision::fp32 ? 1e-4f : 2e-2f;
}
