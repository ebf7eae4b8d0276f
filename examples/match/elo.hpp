#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

/// Results of pairs of games from one player's side. The two games of a pair have the same opening and swapped
/// colours, so they are not independent; pairs are. That is why everything here is worked out from pairs.
struct pair_counts {
  std::array<std::int64_t, 5> of{};  ///< [k]: pairs in which the player made k half points

  /// Pairs counted.
  std::int64_t pairs() const { return of[0] + of[1] + of[2] + of[3] + of[4]; }

  /// Mean share of the points, in [0, 1]; 1/2 before the first pair.
  double score() const {
    if (pairs() == 0) return 0.5;
    return static_cast<double>(of[1] + 2 * of[2] + 3 * of[3] + 4 * of[4]) / static_cast<double>(4 * pairs());
  }
};

/// The expected share of the points of a player who is `elo` stronger, by the logistic curve: 400 Elo are
/// odds of ten to one.
inline double score_of_elo(double elo) { return 1 / (1 + std::pow(10, -elo / 400)); }

/// The inverse of `score_of_elo`; infinite at and beyond the shares 0 and 1.
inline double elo_of_score(double score) {
  double const infinite = std::numeric_limits<double>::infinity();
  if (score <= 0) return -infinite;
  if (score >= 1) return infinite;
  return 400 * std::log10(score / (1 - score));
}

/// The chance that a standard normal number is below x.
inline double normal_below(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

/// The number that a standard normal number is below with chance p, 0 < p < 1.
inline double normal_quantile(double p) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    double const middle = (low + high) / 2;
    (normal_below(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Chances of a pair's results.
using pair_chances = std::array<double, 5>;

/// The likeliest chances under which a pair's mean share of points is `score`, in (0, 1), given how often each
/// result has come: observed[k] / (1 + t (k/4 - score)), with the one t that gives them that mean. All of
/// `observed` are positive and sum to 1. M. Van den Bergh, "Maximum likelihood estimation of a multinomial
/// distribution with a given expected value", hardy.uhasselt.be/Fishtest/support_MLE_multinomial.pdf,
/// proposition 1.1.
inline pair_chances likeliest_chances(pair_chances const& observed, double score) {
  auto const off = [&](std::size_t k) { return static_cast<double>(k) / 4 - score; };
  // The mean falls as t grows; between the bounds all chances are positive.
  double low = -1 / (1 - score), high = 1 / score, t = 0;
  for (int i = 0; i < 200; ++i) {
    double excess = 0, slope = 0;
    for (std::size_t k = 0; k < observed.size(); ++k) {
      double const share = off(k) / (1 + t * off(k));
      excess += observed[k] * share;
      slope -= observed[k] * share * share;
    }
    (excess > 0 ? low : high) = t;
    double const newton = t - excess / slope;
    double const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (std::abs(next - t) < 1e-13) break;
    t = next;
  }
  pair_chances chances;
  for (std::size_t k = 0; k < observed.size(); ++k) chances[k] = observed[k] / (1 + t * off(k));
  return chances;
}

/// The logarithm of the greatest likelihood of the pairs under all chances whose mean share of points is `score`, in
/// (0, 1), less that under any chances: 0 at the mean of the pairs, falling to both sides; 0 before the first pair. A
/// result that has not come yet counts as 0.001 pairs, as it does for fishtest.
inline double log_likelihood(pair_counts const& counts, double score) {
  if (counts.pairs() == 0) return 0;
  pair_chances observed;
  double total = 0, sum = 0;
  for (std::size_t k = 0; k < observed.size(); ++k)
    total += observed[k] = counts.of[k] > 0 ? static_cast<double>(counts.of[k]) : 1e-3;
  for (double& chance : observed) chance /= total;
  pair_chances const chances = likeliest_chances(observed, score);
  for (std::size_t k = 0; k < observed.size(); ++k) sum += observed[k] * std::log(chances[k] / observed[k]);
  return std::min(0.0, total * sum);
}

/// The greatest Elo whose `log_likelihood` is not less than `least`; infinite if the player made all points.
inline double greatest_elo(pair_counts const& counts, double least) {
  double inside = counts.score(), outside = 1;
  for (double middle = (inside + outside) / 2; inside < middle && middle < outside;
       middle = (inside + outside) / 2)
    (log_likelihood(counts, middle) >= least ? inside : outside) = middle;
  return elo_of_score(inside);
}

/// How much stronger a player is, and how sure that is.
struct elo_interval {
  double low, high;    ///< Elo; infinite where the player made no point, or all of them
  double superiority;  ///< the chance to be the stronger one, in [0, 1]; 1/2 if the score is 1/2
};

/// All differences under which the pairs are not too unlikely. Of many pairs this interval holds the true one with
/// chance `confidence`, in (0, 1), as twice the logarithm of the ratio of greatest likelihoods is then distributed as
/// the square of a standard normal number: S. S. Wilks, "The large-sample distribution of the likelihood ratio for
/// testing composite hypotheses", Annals of Mathematical Statistics 9, 1938. The superiority is the chance that such
/// a normal number is below the one for equal players. Nothing before the first pair.
inline std::optional<elo_interval> interval_of(pair_counts const& counts, double confidence) {
  if (counts.pairs() == 0) return std::nullopt;
  double const normal = normal_quantile((1 + confidence) / 2), least = -normal * normal / 2;
  pair_counts mirrored = counts;
  std::reverse(mirrored.of.begin(), mirrored.of.end());
  double const from_equal = std::sqrt(-2 * log_likelihood(counts, 0.5));
  return elo_interval{-greatest_elo(mirrored, least), greatest_elo(counts, least),
                      normal_below(std::copysign(from_equal, counts.score() - 0.5))};
}
