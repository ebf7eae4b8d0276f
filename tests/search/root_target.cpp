#include <batchmate/search/root_target.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>

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
  // One visit: the mean square is half its own, 0.25, and half 1.25, so the variance is 0.5.
  CHECK(bm::lower_bound(1, 0.5f, 0.25f, 1) == doctest::Approx(0.5 - std::sqrt(0.5)));
  CHECK(bm::lower_bound(4, 0.5f, 1, 5) < bm::lower_bound(40, 0.5f, 10, 5));
}

TEST_CASE("the terms of the surprise sum to the Kullback-Leibler divergence") {
  CHECK(bm::surprise_of(0.5f, 0.25f) + bm::surprise_of(0.5f, 0.75f) ==
        doctest::Approx(0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3)));
  CHECK(bm::surprise_of(0, 0.5f) == 0);
  CHECK(bm::surprise_of(1, 0) == doctest::Approx(std::log(1e6)));
}
