#include <batchmate/search/puct_options.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>

namespace bm = batchmate;

TEST_CASE("exploration grows with the logarithm of visits as AlphaZero's does") {
  bm::puct const settings{.exploration = 1.25f, .exploration_growth = 1};
  CHECK(settings.exploration_at(0) == doctest::Approx(1.25 + std::log((1 + 19652.0) / 19652)));
  CHECK(settings.exploration_at(19651) == doctest::Approx(1.25 + std::log(2.0)));
  CHECK(settings.exploration_at(2 * 19652 - 1) == doctest::Approx(1.25 + std::log(3.0)));
  CHECK(bm::puct{.exploration = 1.25f}.exploration_at(100000) == 1.25f);
}

TEST_CASE("an unvisited move is worth its parent's value, a reduction of it, or a fixed value") {
  CHECK(bm::puct{}.unvisited_value(0.4f, 0.25f, false) == 0.4f);
  CHECK(bm::puct{.fpu_reduction = 0.5f}.unvisited_value(0.4f, 0.25f, false) == doctest::Approx(-0.1f));
  CHECK(bm::puct{.fpu_reduction = 0.5f}.unvisited_value(-0.8f, 0.25f, false) == -1);
  bm::puct const policy{.fpu = bm::first_play::visited_policy, .fpu_reduction = 0.5f};
  CHECK(policy.unvisited_value(0.4f, 0, false) == 0.4f);
  CHECK(policy.unvisited_value(0.4f, 0.25f, false) == doctest::Approx(0.15f));
  CHECK(policy.unvisited_value(-0.9f, 1, false) == -1);
  bm::puct const not_at_root{.fpu_reduction = 0.5f, .fpu_reduction_at_root = false};
  CHECK(not_at_root.unvisited_value(0.4f, 0.25f, false) == doctest::Approx(-0.1f));
  CHECK(not_at_root.unvisited_value(0.4f, 0.25f, true) == 0.4f);
  CHECK(policy.unvisited_value(0.4f, 0.25f, true) == doctest::Approx(0.15f));
  CHECK(bm::puct{.fpu = bm::first_play::absolute, .fpu_value = -0.25f}.unvisited_value(0.4f, 0.25f, false) ==
        -0.25f);
}

TEST_CASE("settings out of range are refused with the field's name") {
  auto const refused = [](bm::puct const& settings, char const* field) {
    CHECK_THROWS_WITH_AS(settings.check(), doctest::Contains(field), bm::contract_error);
  };
  float constexpr nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_NOTHROW(bm::puct{}.check());
  refused({.simulations = 0}, "simulations");
  refused({.simulations = bm::max_simulations + 1}, "simulations must be 1 to 131072");
  refused({.exploration = -1}, "exploration");
  refused({.exploration = nan}, "exploration");
  refused({.exploration = 3e38f}, "exploration");
  refused({.exploration_growth = -1}, "exploration_growth");
  refused({.exploration_growth = 3e38f}, "exploration_growth");
  refused({.exploration_base = 0}, "exploration_base");
  refused({.fpu_reduction = nan}, "fpu_reduction");
  refused({.fpu_value = -1.5f}, "fpu_value");
  refused({.root_temperature = 0}, "root_temperature");
  refused({.noise_fraction = 1.5f}, "noise_fraction");
  refused({.noise_alpha = -1}, "noise_alpha");
  refused({.temperature = -1}, "temperature");
  refused({.final_temperature = nan}, "temperature");
  refused({.lower_bound_errors = -1}, "lower_bound_errors");
  refused({.lower_bound_visits = 2}, "lower_bound_visits");
  refused({.forced_playouts = -1}, "forced_playouts");
  refused({.full_share = 1.5f}, "full_share");
  refused({.full_share = 0.5f}, "cheap_simulations");
  refused({.simulations = 10, .full_share = 0.5f, .cheap_simulations = 11}, "cheap_simulations");
  refused({.resign_below = nan}, "resign_below");
  refused({.leaves = 0}, "leaves");
  refused({.leaves = 2000}, "leaves");
  refused({.virtual_loss = 0}, "virtual_loss");
  refused({.virtual_loss = 1001}, "virtual_loss must be 1 to 1000");
}

TEST_CASE("the identity names every setting") {
  std::initializer_list<bm::puct> const changed{{},
                                                {.simulations = 1},
                                                {.exploration = 1},
                                                {.exploration_growth = 1},
                                                {.exploration_base = 1},
                                                {.fpu = bm::first_play::visited_policy},
                                                {.fpu = bm::first_play::absolute},
                                                {.fpu_reduction = 1},
                                                {.fpu_reduction_at_root = false},
                                                {.fpu_value = 1},
                                                {.root_temperature = 2},
                                                {.noise_fraction = 1},
                                                {.noise_alpha = 1},
                                                {.noise_shaped = true},
                                                {.forced_playouts = 2},
                                                {.full_share = 0.5f},
                                                {.cheap_simulations = 2},
                                                {.prove = true},
                                                {.resign_below = -0.5f},
                                                {.temperature = 2},
                                                {.temperature_plies = 1},
                                                {.final_temperature = 1},
                                                {.lower_bound_errors = 1},
                                                {.lower_bound_visits = 1},
                                                {.reuse_tree = false},
                                                {.leaves = 2},
                                                {.virtual_loss = 2}};
  std::set<std::string> identities;
  for (bm::puct const& settings : changed) identities.insert(settings.identity());
  CHECK(identities.size() == changed.size());
}
