#pragma once

#include <array>
#include <cmath>
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

  /// Variance of a pair's share of the points, about the mean of these pairs.
  double variance() const {
    double const mean = score();
    double sum = 0;
    for (std::size_t k = 0; k < of.size() && pairs() > 0; ++k) {
      double const off = static_cast<double>(k) / 4 - mean;
      sum += off * off * static_cast<double>(of[k]) / static_cast<double>(pairs());
    }
    return sum;
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

/// How much stronger a player is, and how sure that is.
struct elo_interval {
  double low, high;    ///< Elo; infinite where the share of points could as well be 0 or 1
  double superiority;  ///< the chance to be the stronger one, in (0, 1)
};

/// The interval which holds the true difference with chance `confidence`, of the normal distribution that the
/// mean of many pairs has. Nothing if all pairs ended alike: they do not tell how far results vary.
inline std::optional<elo_interval> interval_of(pair_counts const& counts, double confidence) {
  double const score = counts.score(), variance = counts.variance();
  if (!(variance > 0)) return std::nullopt;
  double const deviation = std::sqrt(variance / static_cast<double>(counts.pairs()));
  double const reach = normal_quantile((1 + confidence) / 2) * deviation;
  return elo_interval{elo_of_score(score - reach), elo_of_score(score + reach),
                      normal_below((score - 0.5) / deviation)};
}
