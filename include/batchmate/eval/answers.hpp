#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch.hpp>

#include <cmath>
#include <string>

namespace batchmate {

/// The sum of the first n floats, in an order that compilers can vectorise.
inline float sum_of(float const* x, int n) {
  float lanes[8] = {};
  int i = 0;
  for (; i + 8 <= n; i += 8)
    for (int l = 0; l < 8; ++l) lanes[l] += x[i + l];
  for (; i < n; ++i) lanes[i & 7] += x[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/// Throws `evaluation_error`, naming the evaluator, if an answer is not what its contract promises: a value
/// outside [-1, 1], priors that do not sum to 1 (within 1 %), or NaN anywhere; `contract_error` for a position
/// without legal actions, which is the game's fault.
template <game G, class E>
void check_answers(batch<G> const& answered, E const& evaluator) {
  for (int b = 0; b < answered.count; ++b) {
    float const value = answered.values[b];
    if (!(std::abs(value) <= 1.0001f)) [[unlikely]]
      throw evaluation_error(concat("evaluator ", std::string(evaluator.identity()), ": row ", b,
                                    ": expected a value in [-1, 1], found ", value));
    int const legal = answered.rows[b].legal.count();
    expects(legal > 0, "game: a position has neither a result nor a legal action");
    float const sum = sum_of(answered.priors_of(b), legal);
    if (!(std::abs(sum - 1) < 0.01f)) [[unlikely]]
      throw evaluation_error(concat("evaluator ", std::string(evaluator.identity()), ": row ", b,
                                    ": expected priors that sum to 1, found ", sum));
  }
}

}  // namespace batchmate
