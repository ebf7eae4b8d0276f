#pragma once

#include <batchmate/core/error.hpp>

#include "elo.hpp"

#include <cmath>

/// A sequential probability ratio test: goes on until the pairs played so far decide between two hypotheses of
/// how much stronger the first player is (Wald, Annals of Mathematical Statistics 16, 1945).
///
/// The five results of a pair have unknown chances, so this is the generalised test, which takes for each
/// hypothesis the likeliest chances under it: M. Van den Bergh, "Maximum likelihood estimation of a multinomial
/// distribution with a given expected value", hardy.uhasselt.be/Fishtest/support_MLE_multinomial.pdf,
/// proposition 1.1; fishtest tests Stockfish so. Elo are logistic, as in `score_of_elo`, not normalised.
struct sprt {
  double elo0 = 0;      ///< of the hypothesis H0
  double elo1 = 10;     ///< of the hypothesis H1, greater
  double alpha = 0.05;  ///< chance to accept H1 where H0 holds
  double beta = 0.05;   ///< chance to accept H0 where H1 holds

  /// H0 is accepted at this log-likelihood ratio or below.
  double lower() const { return std::log(beta / (1 - alpha)); }
  /// H1 is accepted at this log-likelihood ratio or above.
  double upper() const { return std::log((1 - beta) / alpha); }

  /// Throws `contract_error` for a field out of range.
  void check() const {
    batchmate::expects(std::isfinite(elo0) && std::isfinite(elo1) && elo0 < elo1,
                       "sprt: elo0 must be less than elo1, got ", elo0, " and ", elo1);
    for (double const error : {alpha, beta})
      batchmate::expects(error > 0 && error < 0.5, "sprt: alpha and beta must be in (0, 0.5), got ", error);
  }
};

/// The logarithm of how much likelier the pairs are if the first player is `elo1` stronger than if it is `elo0`
/// stronger; 0 before the first pair.
inline double log_likelihood_ratio(pair_counts const& counts, double elo0, double elo1) {
  return log_likelihood(counts, score_of_elo(elo1)) - log_likelihood(counts, score_of_elo(elo0));
}

/// What a test has come to.
enum class verdict { none, h0, h1 };

/// The verdict on the pairs so far.
inline verdict decide(sprt const& test, pair_counts const& counts) {
  double const ratio = log_likelihood_ratio(counts, test.elo0, test.elo1);
  return ratio >= test.upper() ? verdict::h1 : ratio <= test.lower() ? verdict::h0 : verdict::none;
}
