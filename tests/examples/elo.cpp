// The statistics of the arena, examples/match: Elo from pairs of games, and the sequential test.

#include <batchmate/core/random.hpp>

#include <doctest/doctest.h>

#include "../../examples/match/elo.hpp"
#include "../../examples/match/sprt.hpp"

#include <cmath>
#include <limits>

namespace {

double const infinite = std::numeric_limits<double>::infinity();

/// A published test: its results and what the testers' own program said of them.
struct published {
  pair_counts counts;
  double elo0, elo1, ratio;
};

/// Plays a test to its end with pairs drawn from these chances; how many pairs that took.
struct played {
  verdict result;
  int pairs;
};
played play(sprt const& test, pair_chances const& chances, batchmate::random_key key) {
  batchmate::random_stream random(key);
  pair_counts counts;
  for (int pairs = 1; pairs < 100'000; ++pairs) {
    double rest = random.uniform();
    std::size_t k = 0;
    while (k < 4 && (rest -= chances[k]) >= 0) ++k;
    ++counts.of[k];
    if (verdict const found = decide(test, counts); found != verdict::none) return {found, pairs};
  }
  return {verdict::none, 100'000};
}

}  // namespace

TEST_CASE("score and variance of pairs are those worked out by hand") {
  pair_counts const counts{{1, 0, 2, 0, 1}};  // 0, 1, 1 and 2 points
  CHECK(counts.pairs() == 4);
  CHECK(counts.score() == 0.5);
  CHECK(counts.variance() == doctest::Approx(0.125));  // (1/4 + 0 + 0 + 1/4) / 4
  CHECK(pair_counts{{0, 0, 0, 1, 1}}.score() == 0.875);
  CHECK(pair_counts{{0, 0, 0, 1, 1}}.variance() == doctest::Approx(1.0 / 64));
}

TEST_CASE("400 Elo are odds of ten to one, and equal players have equal chances") {
  CHECK(score_of_elo(0) == 0.5);
  CHECK(score_of_elo(400) == doctest::Approx(10.0 / 11));
  CHECK(elo_of_score(10.0 / 11) == doctest::Approx(400));
  CHECK(elo_of_score(0.25) == doctest::Approx(-190.85).epsilon(1e-5));  // -400 log10(3)
  CHECK(elo_of_score(1) == infinite);
  CHECK(elo_of_score(0) == -infinite);
}

TEST_CASE("normal quantiles are those of the tables") {
  CHECK(normal_quantile(0.5) == doctest::Approx(0));
  CHECK(normal_quantile(0.975) == doctest::Approx(1.959964).epsilon(1e-6));
  CHECK(normal_quantile(0.05) == doctest::Approx(-1.644854).epsilon(1e-6));
}

TEST_CASE(
    "Elo, its interval and the likelihood of superiority are those that testers of Stockfish published") {
  struct report {
    pair_counts counts;
    double elo, half_width, superiority, rounding;
  };
  // From messages of Stockfish's commits; the third is of fastchess, the others of fishtest.
  for (report const& r : {report{{{143, 6697, 14452, 6415, 164}}, -1.50, 1.5, 0.023, 0.05},
                          report{{{154, 6440, 16053, 7148, 205}}, 4.69, 1.4, 1.0, 0.05},
                          report{{{0, 4, 28, 15, 3}}, 59.64, 35.35, 0.9996, 0.005},
                          report{{{0, 140, 4678, 182, 0}}, 1.46, 1.2, 0.990, 0.05}}) {
    auto const interval = interval_of(r.counts, 0.95);
    REQUIRE(interval);
    CHECK(std::abs(elo_of_score(r.counts.score()) - r.elo) < 0.0051);
    CHECK(std::abs((interval->high - interval->low) / 2 - r.half_width) < r.rounding + 1e-9);
    CHECK(std::abs(interval->superiority - r.superiority) < 0.00051);
  }
}

TEST_CASE("pairs that all ended alike have no interval, and a bound beyond certainty is infinite") {
  CHECK_FALSE(interval_of({{0, 0, 0, 0, 9}}, 0.95));
  CHECK_FALSE(interval_of({}, 0.95));
  auto const nearly = interval_of({{0, 0, 0, 1, 9}}, 0.95);
  REQUIRE(nearly);
  CHECK(nearly->high == infinite);
  CHECK(nearly->low < elo_of_score(0.975));
}

TEST_CASE("a 95 % interval holds the true difference in about 95 % of matches") {
  pair_chances const chances{0.05, 0.2, 0.4, 0.25, 0.1};
  double const truth = elo_of_score(0.2 / 4 + 0.4 / 2 + 0.25 * 3 / 4 + 0.1);
  int held = 0;
  for (int match = 0; match < 2000; ++match) {
    batchmate::random_stream random(batchmate::random_key{5}.split(static_cast<std::uint64_t>(match)));
    pair_counts counts;
    for (int pair = 0; pair < 200; ++pair) {
      double rest = random.uniform();
      std::size_t k = 0;
      while (k < 4 && (rest -= chances[k]) >= 0) ++k;
      ++counts.of[k];
    }
    auto const interval = interval_of(counts, 0.95);
    held += interval && interval->low < truth && truth < interval->high;
  }
  // Of 2000, 1900 are expected, with a deviation of 9.7.
  CHECK(held > 1900 - 40);
  CHECK(held < 1900 + 40);
}

TEST_CASE("log-likelihood ratios are those that fishtest published for tests of Stockfish") {
  // Messages of Stockfish's commits 3dca13a95, ea6220f38, c6ce612f0, e5f450cf0, 288a60441, d6d6972a6, 508906165
  // and 7d0a16e06, of the time when fishtest's bounds were logistic Elo.
  for (published const& p : {published{{{21, 294, 819, 404, 46}}, -0.5, 1.5, 2.95},
                             published{{{20, 246, 1030, 356, 28}}, -0.5, 1.5, 2.93},
                             published{{{66, 446, 912, 563, 109}}, -1.5, 0.5, 2.95},
                             published{{{19, 420, 1422, 478, 57}}, -0.5, 1.5, 2.95},
                             published{{{4224, 28822, 58802, 29383, 4249}}, -0.25, 1.25, 2.94},
                             published{{{3907, 48050, 142118, 49036, 4081}}, 0.25, 1.25, 2.94},
                             published{{{13, 1176, 17184, 1178, 21}}, 0.25, 1.25, -3.00},
                             published{{{25, 1383, 19438, 1408, 26}}, 0.25, 1.25, -2.96}})
    CHECK(std::abs(log_likelihood_ratio(p.counts, p.elo0, p.elo1) - p.ratio) < 0.0051);
}

TEST_CASE("the likeliest chances of two results are known without searching") {
  // With wins and losses of whole pairs alone, the mean fixes the chances: score and 1 - score.
  double const tiny = 1e-12;
  pair_chances const found = likeliest_chances({0.3 - tiny, tiny, tiny, tiny, 0.7 - 2 * tiny}, 0.6);
  CHECK(found[4] == doctest::Approx(0.6));
  CHECK(found[0] == doctest::Approx(0.4));
  // Then the ratio is that of a coin: 70 log(s1 / s0) + 30 log((1 - s1) / (1 - s0)).
  double const s0 = score_of_elo(0), s1 = score_of_elo(100);
  double const coin = 70 * std::log(s1 / s0) + 30 * std::log((1 - s1) / (1 - s0));
  CHECK(log_likelihood_ratio({{30, 0, 0, 0, 70}}, 0, 100) == doctest::Approx(coin).epsilon(1e-4));
}

TEST_CASE("chances under a hypothesis sum to one and have its mean, even where results are lopsided") {
  for (pair_chances const& observed :
       {pair_chances{0.2, 0.2, 0.2, 0.2, 0.2}, pair_chances{1e-6, 1e-6, 1e-6, 1e-6, 1 - 4e-6},
        pair_chances{0.98, 0.005, 0.005, 0.005, 0.005}})
    for (double const score : {0.02, 0.5, 0.64, 0.99}) {
      pair_chances const found = likeliest_chances(observed, score);
      double sum = 0, mean = 0;
      for (std::size_t k = 0; k < 5; ++k) {
        CHECK(found[k] > 0);
        sum += found[k];
        mean += found[k] * static_cast<double>(k) / 4;
      }
      CHECK(sum == doctest::Approx(1).epsilon(1e-7));
      CHECK(mean == doctest::Approx(score).epsilon(1e-7));
    }
}

TEST_CASE("the test looks at both players alike") {
  pair_counts const counts{{7, 31, 60, 44, 12}}, swapped{{12, 44, 60, 31, 7}};
  CHECK(log_likelihood_ratio(counts, -3, 12) == doctest::Approx(-log_likelihood_ratio(swapped, -12, 3)));
  CHECK(log_likelihood_ratio({}, 0, 10) == 0);
  CHECK(decide({}, {}) == verdict::none);
}

TEST_CASE("a few won pairs do not decide a test of small differences, many do") {
  sprt const test{.elo0 = 0, .elo1 = 10};
  CHECK(test.upper() == doctest::Approx(2.944439));  // log 19
  CHECK(test.lower() == doctest::Approx(-2.944439));
  CHECK(decide(test, {{0, 0, 0, 0, 20}}) == verdict::none);
  CHECK(decide(test, {{0, 0, 0, 0, 400}}) == verdict::h1);
  CHECK(decide(test, {{400, 0, 0, 0, 0}}) == verdict::h0);
}

TEST_CASE("the test errs as seldom as it was asked to, under both hypotheses") {
  // A mean of exactly 1/2 and of elo1: chances tilted to it, as many draws as self-play of good players has.
  sprt const test{.elo0 = 0, .elo1 = 40, .alpha = 0.05, .beta = 0.1};
  pair_chances const fair{0.06, 0.22, 0.44, 0.22, 0.06};
  pair_chances const better = likeliest_chances(fair, score_of_elo(test.elo1));
  int const tests = 1000;
  int false_alarms = 0, misses = 0, pairs = 0;
  for (int i = 0; i < tests; ++i) {
    batchmate::random_key const key = batchmate::random_key{11}.split(static_cast<std::uint64_t>(i));
    played const none = play(test, fair, key.split(std::uint64_t{0}));
    played const real = play(test, better, key.split(std::uint64_t{1}));
    CHECK(none.result != verdict::none);
    CHECK(real.result != verdict::none);
    false_alarms += none.result == verdict::h1;
    misses += real.result == verdict::h0;
    pairs += none.pairs + real.pairs;
  }
  // Of 1000, 50 and 100 are expected, with deviations of 6.9 and 9.5; steps beyond a bound make some difference.
  CHECK(false_alarms < 50 + 21);
  CHECK(false_alarms > 15);
  CHECK(misses < 100 + 29);
  CHECK(misses > 40);
  // A match of a fixed length needs 150 pairs to err as seldom: ((1.645 + 1.282) * deviation / difference)^2.
  CHECK(pairs / (2 * tests) < 150);
}

TEST_CASE("bounds that make no test are refused") {
  CHECK_NOTHROW((sprt{.elo0 = -5, .elo1 = 0}.check()));
  CHECK_THROWS_AS((sprt{.elo0 = 5, .elo1 = 5}.check()), batchmate::contract_error);
  CHECK_THROWS_AS((sprt{.elo0 = 0, .elo1 = infinite}.check()), batchmate::contract_error);
  CHECK_THROWS_AS((sprt{.alpha = 0}.check()), batchmate::contract_error);
  CHECK_THROWS_AS((sprt{.beta = 0.5}.check()), batchmate::contract_error);
}
