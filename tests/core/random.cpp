#include <batchmate/core/random.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <set>

namespace bm = batchmate;

namespace {

struct moments {
  double mean = 0, variance = 0;
};

template <class Draw>
moments moments_of(int n, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    double const x = draw();
    sum += x, squares += x * x;
  }
  double const mean = sum / n;
  return {mean, squares / n - mean * mean};
}

bm::random_stream stream(std::uint64_t seed) {
  return bm::random_stream(bm::random_key{seed}.split(bm::purpose::test));
}

}  // namespace

TEST_CASE("the bits are SplitMix64's") {
  // The published sequence from seed 1234567 (Vigna's splitmix64.c, as Rosetta Code lists it).
  bm::random_stream random(bm::random_key{1234567});
  for (std::uint64_t expected : {6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
                                 4593380528125082431ULL, 16408922859458223821ULL})
    CHECK(random.bits() == expected);
}

TEST_CASE("a stream is a function of its key") {
  auto a = stream(5), b = stream(5), c = stream(6);
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    auto const bits = a.bits();
    CHECK(bits == b.bits());
    differ += bits != c.bits();
  }
  CHECK(differ == 100);
}

TEST_CASE("children of a key differ by number, by path and by purpose") {
  std::set<std::uint64_t> states;
  bm::random_key const root{1};
  for (std::uint64_t i = 0; i < 1000; ++i) {
    states.insert(root.split(i).state);
    for (std::uint64_t j = 0; j < 10; ++j) states.insert(root.split(i).split(j).state);
  }
  for (auto p : {bm::purpose::opening, bm::purpose::noise, bm::purpose::sampling, bm::purpose::move,
                 bm::purpose::rollout, bm::purpose::symmetry, bm::purpose::test})
    states.insert(root.split(p).state);
  CHECK(states.size() == 1000 + 10000 + 7);
  CHECK(root.split(1).split(2).state != root.split(2).split(1).state);
}

TEST_CASE("mixing flips half the bits for one bit changed") {
  auto random = stream(2);
  int flips = 0, trials = 0;
  for (int i = 0; i < 200; ++i) {
    auto const x = random.bits();
    for (int b = 0; b < 64; ++b, ++trials)
      for (auto d = bm::mix_bits(x) ^ bm::mix_bits(x ^ std::uint64_t{1} << b); d; d &= d - 1) ++flips;
  }
  CHECK(static_cast<double>(flips) / trials == doctest::Approx(32).epsilon(0.005));
}

TEST_CASE("uniform floats fill [0, 1) evenly") {
  auto random = stream(3);
  std::array<int, 10> bins{};
  for (int i = 0; i < 100000; ++i) {
    float const u = random.uniform();
    REQUIRE(u >= 0.0f);
    REQUIRE(u < 1.0f);
    ++bins[static_cast<std::size_t>(u * 10)];
  }
  for (int n : bins) CHECK(std::abs(n - 10000) < 500);  // five standard deviations
}

TEST_CASE("integers below n are in range and even") {
  auto random = stream(4);
  for (std::uint32_t n : {1u, 2u, 7u, 169u}) {
    std::array<int, 169> bins{};
    int const each = 1000;
    for (std::uint32_t i = 0; i < n * each; ++i) {
      auto const k = random.below(n);
      REQUIRE(k < n);
      ++bins[k];
    }
    for (std::uint32_t k = 0; k < n; ++k) CHECK(std::abs(bins[k] - each) < 5 * std::sqrt(each));
  }
  CHECK(random.below(0xffffffffu) < 0xffffffffu);
}

TEST_CASE("normal numbers have mean 0 and variance 1") {
  auto random = stream(5);
  auto const m = moments_of(200000, [&] { return random.normal(); });
  CHECK(std::abs(m.mean) < 0.012);
  CHECK(m.variance == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("gamma numbers have mean and variance equal to their shape") {
  for (double shape : {0.03, 0.3, 1.0, 4.5}) {
    auto random = stream(6);
    auto const m = moments_of(200000, [&] {
      double const x = random.gamma(shape);
      CHECK_UNARY(x >= 0);
      return x;
    });
    CHECK(m.mean == doctest::Approx(shape).epsilon(0.06));
    CHECK(m.variance == doctest::Approx(shape).epsilon(0.15));
  }
}

TEST_CASE("gumbel numbers have Euler's constant for mean and pi squared over 6 for variance") {
  auto random = stream(7);
  auto const m = moments_of(200000, [&] { return random.gumbel(); });
  CHECK(m.mean == doctest::Approx(0.577216).epsilon(0.03));
  CHECK(m.variance == doctest::Approx(1.644934).epsilon(0.03));
}

TEST_CASE("the next gumbel, normal and gamma number is finite however often it is drawn") {
  auto random = stream(8);
  for (int i = 0; i < 100000; ++i)
    REQUIRE(std::isfinite(random.gumbel() + random.normal() + random.gamma(0.03)));
}
