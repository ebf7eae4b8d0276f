#include <batchmate/search/root_noise.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace bm = batchmate;

TEST_CASE("a temperature takes priors to a power and keeps their sum") {
  std::array<float, 3> priors{0.64f, 0.36f, 0};
  bm::soften_priors(priors.data(), 3, 2);  // square roots: 0.8 and 0.6
  CHECK(priors[0] == doctest::Approx(0.8 / 1.4));
  CHECK(priors[1] == doctest::Approx(0.6 / 1.4));
  CHECK(priors[2] == 0);
  priors = {0.5f, 0.3f, 0.2f};
  bm::soften_priors(priors.data(), 3, 0.5f);  // squares: 0.25, 0.09, 0.04
  CHECK(priors[0] == doctest::Approx(0.25 / 0.38));
  CHECK(priors[2] == doctest::Approx(0.04 / 0.38));
}

TEST_CASE("half of a shaped noise goes to the moves of more than average log-prior") {
  // Logarithms to base 10 of the priors, 0.01 at most: -2, -2, -3, -5; their mean is -3, the excess 1, 1, 0, 0.
  std::array<float, 4> const priors{0.98899f, 0.01f, 0.001f, 0.00001f};
  std::array<double, 4> shares{};
  bm::shape_noise(priors.data(), 4, shares.data());
  CHECK(shares[0] == doctest::Approx(0.25 + 0.125));
  CHECK(shares[1] == doctest::Approx(0.25 + 0.125));
  CHECK(shares[2] == doctest::Approx(0.125));
  CHECK(shares[3] == doctest::Approx(0.125));
}

TEST_CASE("a shaped noise is even where no prior stands out") {
  std::array<float, 4> const priors{0.25f, 0.25f, 0.25f, 0.25f};
  std::array<double, 4> shares{};
  bm::shape_noise(priors.data(), 4, shares.data());
  for (double s : shares) CHECK(s == doctest::Approx(0.25));
}

TEST_CASE("noise has the mean that its concentration says, and does not depend on the order of moves") {
  for (bool shaped : {false, true}) {
    bm::puct const settings{.noise_fraction = 0.5f, .noise_alpha = 0.5f, .noise_shaped = shaped};
    std::array<double, 4> mean{};
    int const draws = 4000;
    for (int k = 0; k < draws; ++k) {
      std::array<float, 4> priors{0.9f, 0.09f, 0.009f, 0.001f}, turned{0.001f, 0.009f, 0.09f, 0.9f};
      std::array<std::uint16_t, 4> const actions{1, 3, 4, 6}, turned_actions{6, 4, 3, 1};
      bm::random_key const key{static_cast<std::uint64_t>(k)};
      bm::prepare_priors<8>(priors.data(), actions.data(), 4, settings, true, key);
      bm::prepare_priors<8>(turned.data(), turned_actions.data(), 4, settings, true, key);
      REQUIRE(std::accumulate(priors.begin(), priors.end(), 0.0) == doctest::Approx(1));
      for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(priors[i] == doctest::Approx(turned[3 - i]));
        mean[i] += priors[i] / draws;
      }
    }
    std::array<float, 4> const before{0.9f, 0.09f, 0.009f, 0.001f};
    std::array<double, 4> shares{0.25, 0.25, 0.25, 0.25};
    if (shaped) bm::shape_noise(before.data(), 4, shares.data());
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(std::abs(mean[i] - 0.5 * (double{before[i]} + shares[i])) < 0.01);
  }
}

TEST_CASE(
    "where concentrations are so small that every draw is 0, one move gets all the noise, by its share") {
  for (bool const shaped : {false, true}) {
    bm::puct const settings{.noise_fraction = 0.25f, .noise_alpha = 1e-6f, .noise_shaped = shaped};
    std::array<std::uint16_t, 4> const actions{1, 3, 4, 6}, turned_actions{6, 4, 3, 1};
    std::array<float, 4> const before{0.5f, 0.25f, 0.25f, 0};
    std::array<double, 4> shares{0.25, 0.25, 0.25, 0.25};
    if (shaped) bm::shape_noise(before.data(), 4, shares.data());
    std::array<int, 4> drawn{};
    for (std::uint64_t k = 0; k < 4000; ++k) {
      std::array<float, 4> priors = before, turned{0, 0.25f, 0.25f, 0.5f};
      bm::prepare_priors<8>(priors.data(), actions.data(), 4, settings, true, bm::random_key{k});
      bm::prepare_priors<8>(turned.data(), turned_actions.data(), 4, settings, true, bm::random_key{k});
      int favoured = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(priors[i] == turned[3 - i]);
        if (priors[i] == 0.75f * before[i]) continue;
        REQUIRE(priors[i] == 0.75f * before[i] + 0.25f);
        ++favoured, ++drawn[i];
      }
      REQUIRE(favoured == 1);
    }
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(std::abs(drawn[i] - 4000 * shares[i]) < 130);  // four deviations
  }
}

TEST_CASE("without noise and at temperature 1 priors stay what they are") {
  std::array<float, 3> priors{0.5f, 0.25f, 0.25f};
  std::array<std::uint16_t, 3> const actions{0, 1, 2};
  bm::prepare_priors<3>(priors.data(), actions.data(), 3, bm::puct{}, false, {});
  CHECK(priors == std::array<float, 3>{0.5f, 0.25f, 0.25f});
}
