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

/// A result of a pair with these chances, in half points.
std::size_t drawn(pair_chances const& chances, batchmate::random_stream& random) {
  double rest = random.uniform();
  std::size_t k = 0;
  while (k < 4 && (rest -= chances[k]) >= 0) ++k;
  return k;
}

/// Plays a test to its end with pairs drawn from these chances; how many pairs that took.
struct played {
  verdict result;
  int pairs;
};
played play(sprt const& test, pair_chances const& chances, batchmate::random_key key) {
  batchmate::random_stream random(key);
  pair_counts counts;
  for (int pairs = 1; pairs < 100'000; ++pairs) {
    ++counts.of[drawn(chances, random)];
    if (verdict const found = decide(test, counts); found != verdict::none) return {found, pairs};
  }
  return {verdict::none, 100'000};
}

}  // namespace

TEST_CASE("the score of pairs is the one worked out by hand") {
  pair_counts const counts{{1, 0, 2, 0, 1}};  // 0, 1, 1 and 2 points
  CHECK(counts.pairs() == 4);
  CHECK(counts.score() == 0.5);
  CHECK(pair_counts{{0, 0, 0, 1, 1}}.score() == 0.875);
  CHECK(pair_counts{}.score() == 0.5);
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
  // From messages of Stockfish's commits; the third is of fastchess, the others of fishtest. Their intervals are of the
  // normal distribution, which of 50 pairs and more differ by less than 2 %.
  for (report const& r : {report{{{143, 6697, 14452, 6415, 164}}, -1.50, 1.5, 0.023, 0.05},
                          report{{{154, 6440, 16053, 7148, 205}}, 4.69, 1.4, 1.0, 0.05},
                          report{{{0, 4, 28, 15, 3}}, 59.64, 35.35, 0.9996, 0.005},
                          report{{{0, 140, 4678, 182, 0}}, 1.46, 1.2, 0.990, 0.05}}) {
    auto const interval = interval_of(r.counts, 0.95);
    REQUIRE(interval);
    CHECK(std::abs(elo_of_score(r.counts.score()) - r.elo) < 0.0051);
    CHECK(std::abs((interval->high - interval->low) / 2 - r.half_width) < r.rounding + 0.02 * r.half_width);
    CHECK(std::abs(interval->superiority - r.superiority) < 0.00051);
  }
}

TEST_CASE("pairs that all ended alike are bounded by how many they are") {
  // Where a pair is won with chance p and lost otherwise, all are won with chance p^pairs; the end is where that is
  // exp(-1.9207), of half the square of the normal quantile. Where all are shared, the likeliest others are all alike.
  for (int const pairs : {1, 9, 100, 1000}) {
    CAPTURE(pairs);
    double const alike = std::exp(-1.920729 / pairs);
    auto const won = interval_of({{0, 0, 0, 0, pairs}}, 0.95),
               lost = interval_of({{pairs, 0, 0, 0, 0}}, 0.95);
    REQUIRE((won && lost));
    CHECK(won->high == infinite);
    CHECK(1 - score_of_elo(won->low) == doctest::Approx(1 - alike).epsilon(0.01));
    CHECK(lost->low == -infinite);
    CHECK(lost->high == doctest::Approx(-won->low));
    CHECK(lost->superiority == doctest::Approx(1 - won->superiority));
    auto const shared = interval_of({{0, 0, pairs, 0, 0}}, 0.95);
    REQUIRE(shared);
    CHECK(score_of_elo(shared->high) - 0.5 == doctest::Approx((1 - alike) / 2).epsilon(0.01));
    CHECK(shared->low == doctest::Approx(-shared->high));
    CHECK(shared->superiority == doctest::Approx(0.5));
  }
  CHECK_FALSE(interval_of({}, 0.95));
}

TEST_CASE("the interval of won and lost pairs alone is that of a coin") {
  // Of 100 throws 70: an end s is where 70 log(0.7 / s) + 30 log(0.3 / (1 - s)) is 1.9207.
  auto const interval = interval_of({{30, 0, 0, 0, 70}}, 0.95);
  REQUIRE(interval);
  double const low = score_of_elo(interval->low), high = score_of_elo(interval->high);
  for (double const s : {low, high})
    CHECK(70 * std::log(0.7 / s) + 30 * std::log(0.3 / (1 - s)) == doctest::Approx(1.920729).epsilon(1e-3));
  CHECK(low == doctest::Approx(0.6059).epsilon(1e-3));
  CHECK(high == doctest::Approx(0.7840).epsilon(1e-3));
}

TEST_CASE("one pair has an interval, wide and finite unless it was won or lost whole") {
  for (std::size_t k = 0; k < 5; ++k) {
    CAPTURE(k);
    pair_counts one;
    one.of[k] = 1;
    auto const interval = interval_of(one, 0.95);
    REQUIRE(interval);
    CHECK((interval->low == -infinite) == (k == 0));
    CHECK((interval->high == infinite) == (k == 4));
    CHECK(interval->low < -300);
    CHECK(interval->high > 300);
  }
}

TEST_CASE("intervals hold the score, grow with confidence, shrink with pairs and rise with better results") {
  for (pair_counts const& counts : {pair_counts{{7, 31, 60, 44, 12}}, pair_counts{{0, 0, 497, 0, 3}},
                                    pair_counts{{0, 0, 0, 1, 99}}, pair_counts{{1, 0, 0, 0, 0}}}) {
    double const elo = elo_of_score(counts.score());
    elo_interval inner{elo, elo, 0};
    for (double const confidence : {0.5, 0.9, 0.95, 0.999, 0.999999}) {
      auto const outer = interval_of(counts, confidence);
      REQUIRE(outer);
      CHECK((outer->low < inner.low || outer->low == -infinite));
      CHECK((outer->high > inner.high || outer->high == infinite));
      CHECK((outer->low > 0) == (outer->superiority > (1 + confidence) / 2));  // one ratio decides both
      inner = *outer;
    }
    auto const interval = interval_of(counts, 0.95);
    pair_counts more = counts;
    for (auto& of : more.of) of *= 4;
    auto const narrow = interval_of(more, 0.95);
    CHECK(narrow->low >= interval->low);
    CHECK(narrow->high <= interval->high);
    pair_counts better = counts;
    ++better.of[4];
    CHECK(interval_of(better, 0.95)->low > interval->low);
    CHECK(interval_of(better, 0.95)->superiority >= interval->superiority);
  }
}

TEST_CASE("a 95 % interval holds the true difference in about 95 % of matches, also of lopsided ones") {
  // How many of 2000 differs by 10 from seed to seed. Of matches as the third and the fourth, intervals of the normal
  // distribution hold 80 and 78 %. Where few pairs can differ from the others, as in the last three, no interval can
  // hold 95 % exactly.
  struct kind {
    pair_chances chances;
    int pairs;
    double least, most;
  };
  kind const kinds[] = {
      {{0.05, 0.2, 0.4, 0.25, 0.1}, 200, 0.93, 0.97},
      {{0.086, 0.066, 0.76, 0.04, 0.048}, 100, 0.93, 0.97},
      {{0, 0, 0.03, 0, 0.97}, 100, 0.94, 1},
      {{0, 0, 0.005, 0.01, 0.985}, 100, 0.94, 1},
      {{0.01, 0.01, 0.06, 0.02, 0.9}, 100, 0.92, 0.98},
      {{0.003, 0, 0.994, 0, 0.003}, 500, 0.88, 0.96},
      {{0.02, 0, 0, 0, 0.98}, 100, 0.82, 0.98},
      {{0.03, 0, 0, 0, 0.97}, 100, 0.88, 0.99},
  };
  for (kind const& k : kinds) {
    double score = 0;
    for (std::size_t result = 0; result < 5; ++result)
      score += k.chances[result] * static_cast<double>(result) / 4;
    double const truth = elo_of_score(score);
    int held = 0;
    for (int match = 0; match < 2000; ++match) {
      batchmate::random_stream random(batchmate::random_key{5}.split(static_cast<std::uint64_t>(match)));
      pair_counts counts;
      for (int pair = 0; pair < k.pairs; ++pair) ++counts.of[drawn(k.chances, random)];
      auto const interval = interval_of(counts, 0.95);
      held += interval->low <= truth && truth <= interval->high;
    }
    CAPTURE(score);
    CHECK(held >= 2000 * k.least);
    CHECK(held <= 2000 * k.most);
  }
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
