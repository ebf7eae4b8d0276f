#include <batchmate/search/root_target.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace bm = batchmate;

TEST_CASE("squares are summed over the simulations below a node") {
  // The root has a child with two visits, its own and a won game's, and a child drawn three times.
  bm::node_arena tree(8, 4);
  auto const add = [&](std::uint32_t parent, std::uint32_t visits, float value, bm::node_state state) {
    std::uint32_t const n = tree.add_child(parent);
    tree[n].visits = visits;
    tree[n].own_value = value;
    tree[n].state = state;
    return n;
  };
  tree.add_edges(tree[0], 4);
  std::uint32_t const open = add(0, 3, -0.5f, bm::node_state::sorted);
  std::uint32_t const ended = add(0, 3, -0.25f, bm::node_state::terminal);
  tree.add_edges(tree[open], 4);
  std::uint32_t const below = add(open, 2, 1, bm::node_state::terminal);
  std::array<float, 8> sums;
  bm::sum_squares(tree, sums.data());
  CHECK(sums[below] == 2);
  CHECK(sums[open] == 2.25f);
  CHECK(sums[ended] == 3 * 0.0625f);
}

TEST_CASE("a lower bound lies below the mean by standard errors, and far below it for few visits") {
  // Of 100 visits, 50 worth 1 and 50 worth 0: the standard deviation is 0.5, the error 0.05.
  CHECK(bm::lower_bound(100, 0.5f, 50, 2) == doctest::Approx(0.4).epsilon(1e-3));
  CHECK(bm::lower_bound(100, 0.5f, 50, 0) == 0.5f);
  // One visit: the mean square is half its own, 0.25, and half 1.25, so the variance is 0.5, of two values of equal weight.
  CHECK(bm::lower_bound(1, 0.5f, 0.25f, 1) == doctest::Approx(0.5 - std::sqrt(0.5 / 2)));
  // Two visits of mean and square 0: the prior is a quarter of a value of 1, so the variance is 0.25 / 2.25, and the
  // values count as 2.25^2 / (2 + 1 / 16) = 2.4545.
  CHECK(bm::lower_bound(2, 0, 0, 5) == doctest::Approx(-5 * std::sqrt(0.25 / 2.25 / 2.454545)));
  CHECK(bm::lower_bound(4, 0.5f, 1, 5) < bm::lower_bound(40, 0.5f, 10, 5));
}

TEST_CASE("a surprise is the Kullback-Leibler divergence") {
  bm::surprise_sum none, some;
  for (float p : {0.5f, 0.25f, 0.25f}) none.add(p, p);
  CHECK(none.total() == 0);
  some.add(0.5f, 0.25f);
  some.add(0.5f, 0.125f);
  some.add(0, 0.5f);
  CHECK(some.total() == doctest::Approx(0.5 * std::log(2.0) + 0.5 * std::log(4.0)));
  bm::surprise_sum sure, many;
  sure.add(1, 0);
  CHECK(sure.total() == doctest::Approx(std::log(1e6)));
  for (int i = 0; i < 200; ++i) many.add(0.005f, 0);  // more than a product of doubles can hold
  CHECK(many.total() == doctest::Approx(std::log(0.005 / 1e-6)));
  bm::surprise_sum least;
  least.add(1, 0.5f);
  for (int i = 0; i < 40; ++i) least.add(1e-30f, 1e-30f);
  CHECK(least.total() == doctest::Approx(std::log(2.0)));
}

TEST_CASE("a move is drawn in proportion to a power of its weight") {
  std::array<float, 3> const weights{1, 4, 0};
  for (auto const& [temperature, share] : {std::pair{1.0f, 0.2}, {0.5f, 1.0 / 17}, {2.0f, 1.0 / 3}}) {
    int first = 0;
    for (std::uint64_t k = 0; k < 4000; ++k) {
      int const drawn = bm::draw_move<3>(weights.data(), 3, 1, temperature, bm::random_key{k});
      REQUIRE(drawn < 2);
      first += drawn == 0;
    }
    CHECK(std::abs(first / 4000.0 - share) < 0.03);
  }
}

TEST_CASE("forced visits grow with prior, visits and factor under a root") {
  CHECK(bm::forced_visits(0.5f, 100, 2) == 10);
  CHECK(bm::forced_visits(0.02f, 100, 2) == 2);
}

TEST_CASE("what was only forced is pruned as far as the best move stays ahead") {
  // All visits 100, scale 10. The best move's bound is 0.5 + 10 * 0.5 / 50 = 0.6.
  std::array<float, 5> const priors{0.5f, 0.08f, 0.17f, 0.02f, 0.02f}, values{0.5f, 0.1f, 0.2f, 0.5f, -1};
  std::array<float, 5> weights{49, 20, 6, 3, 1};
  float const sum = bm::prune_forced(priors.data(), values.data(), weights.data(), 5, 10, 100, 2);
  CHECK(weights[0] == 49);
  CHECK(weights[1] == 16);  // all 4 that were forced: 0.1 + 0.8 / 17 is below 0.6
  CHECK(weights[2] == 4);   // 5 were forced, but with 3 left 0.2 + 1.7 / 4 is not below 0.6
  CHECK(weights[3] == 2);   // 2 were forced; 0.5 + 0.2 / 3 is below 0.6, 0.5 + 0.2 / 2 is not
  CHECK(weights[4] == 0);
  CHECK(sum == 71);
}

TEST_CASE("a move pruned to a single visit is pruned altogether") {
  std::array<float, 2> const priors{0.5f, 0.02f}, values{0.5f, -0.5f};
  std::array<float, 2> weights{90, 3};
  CHECK(bm::prune_forced(priors.data(), values.data(), weights.data(), 2, 10, 100, 2) == 90);
  weights = {90, 1};  // nothing was forced: one visit is what the search wanted
  CHECK(bm::prune_forced(priors.data(), values.data(), weights.data(), 2, 10, 20, 1) == 91);
}
