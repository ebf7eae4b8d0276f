#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch.hpp>

#include <cmath>
#include <cstring>
#include <string>

namespace batchmate {

/// The sum of the first n floats and the least of them. In vectors: it reads every answer, and compilers do not see them by
/// themselves.
struct sum_and_least {
  sum_and_least(float const* x, int n) {
    using four = float __attribute__((vector_size(16)));
    four parts[2] = {}, lowest[2] = {};
    int i = 0;
    for (; i + 8 <= n; i += 8) {
      four next[2];
      std::memcpy(next, x + i, sizeof next);
      for (int v = 0; v < 2; ++v) {
        parts[v] += next[v];
        lowest[v] = next[v] < lowest[v] ? next[v] : lowest[v];
      }
    }
    float sums[8], lows[8];
    std::memcpy(sums, parts, sizeof sums);
    std::memcpy(lows, lowest, sizeof lows);
    for (; i < n; ++i) {
      sums[i & 7] += x[i];
      least = x[i] < least ? x[i] : least;
    }
    sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    for (float const low : lows) least = low < least ? low : least;
  }
  float sum = 0, least = 0;  ///< `least` is at most 0, and ignores NaN
};

/// Throws `evaluation_error`, naming the evaluator and the row of the batch, counted from `first`, if an answer is not what
/// its contract promises: a value outside [-1, 1], priors that are negative or do not sum to 1 (within 1 %), or NaN
/// anywhere; `contract_error` for a position without legal actions, which is the game's fault.
template <game G, class E>
void check_answers(batch<G> const& answered, E const& evaluator, int first = 0) {
  for (int b = 0; b < answered.count; ++b) {
    auto const fail = [&](auto const&... found) {
      throw evaluation_error(concat("evaluator ", std::string(evaluator.identity()), ": row ", first + b,
                                    ": expected ", found...));
    };
    float const value = answered.values[b];
    if (!(std::abs(value) <= 1.0001f)) [[unlikely]]
      fail("a value in [-1, 1], found ", value);
    int const legal = answered.rows[b].legal.count();
    expects(legal > 0, "game: a position has neither a result nor a legal action");
    sum_and_least const priors(answered.priors_of(b), legal);
    if (!(std::abs(priors.sum - 1) < 0.01f)) [[unlikely]]
      fail("priors that sum to 1, found ", priors.sum);
    if (priors.least < 0) [[unlikely]]
      fail("priors that are not negative, found ", priors.least);
  }
}

}  // namespace batchmate
