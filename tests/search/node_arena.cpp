#include <batchmate/core/random.hpp>
#include <batchmate/search/node_arena.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// What a node should be, found again by a path of actions.
struct expected_node {
  std::uint32_t visits;
  float value_sum;
  std::vector<float> priors;
  bm::node_state state;
};
using paths = std::map<std::vector<int>, expected_node>;

constexpr int actions = 40;

void expand(bm::node_arena& arena, std::uint32_t n, bm::random_stream& random) {
  bm::tree_node& node = arena[n];
  arena.add_edges(node, 1 + static_cast<int>(random.below(actions)));
  for (int e = 0; e < node.num_edges; ++e) {
    arena.priors(node)[e] = random.uniform();
    arena.actions(node)[e] = static_cast<std::uint16_t>(3 * e + 1);
  }
  node.state = bm::node_state::sorted;
  node.visits = 1 + random.below(9);
  node.value_sum = random.uniform();
}

/// Adds random nodes until there are `size`, a fifth of them terminal.
void grow(bm::node_arena& arena, std::uint32_t size, bm::random_stream& random) {
  while (arena.size() < size) {
    std::uint32_t const parent = random.below(arena.size());
    if (arena[parent].num_children >= arena[parent].num_edges) {
      if (arena.size() == 1) return;
      continue;
    }
    std::uint32_t const n = arena.add_child(parent);
    if (random.below(5) == 0) {
      arena[n].state = bm::node_state::terminal;
      arena[n].visits = 2;
    } else {
      expand(arena, n, random);
    }
    arena.refresh(arena[n]);
  }
}

/// A random tree of `size` nodes with up to 40 edges each.
bm::node_arena random_tree(int size, bm::random_stream& random) {
  bm::node_arena arena(size, actions);
  do {
    arena.clear();
    expand(arena, 0, random);
  } while (arena[0].num_edges < 20);
  grow(arena, static_cast<std::uint32_t>(size), random);
  return arena;
}

/// Everything below a node, by path.
void describe(bm::node_arena& arena, std::uint32_t n, std::vector<int> const& path, paths& all) {
  bm::tree_node const node = arena[n];
  bool const inner = node.state == bm::node_state::sorted;
  std::vector<float> priors;
  if (inner) priors.assign(arena.priors(node), arena.priors(node) + node.num_edges);
  all[path] = {node.visits, node.value_sum, priors, node.state};
  for (int i = 0; i < node.num_children; ++i) {
    std::uint32_t const child = arena.child(node)[i];
    REQUIRE(child > n);
    REQUIRE(child < arena.size());
    REQUIRE(arena[child].parent == n);
    REQUIRE(arena[child].place == i);
    REQUIRE(arena.q(node)[i] == -arena[child].value_sum / static_cast<float>(arena[child].visits));
    REQUIRE(arena.u(node)[i] == arena.priors(node)[i] / static_cast<float>(1 + arena[child].visits));
    std::vector<int> longer = path;
    longer.push_back(arena.actions(node)[i]);
    describe(arena, child, longer, all);
  }
}

}  // namespace

TEST_CASE("the most simulations add up to their mean, off by less than 0.002") {
  for (float const value : {0.1f, 0.3f, 0.7f, 0.9f, 0.97f}) {
    float sum = 0;
    for (int n = 0; n < bm::max_simulations; ++n) sum += value;
    CHECK(std::abs(sum / bm::max_simulations - value) < 0.002f);
  }
}

TEST_CASE("children keep their places while their arrays grow") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    bm::random_stream random{bm::random_key{seed}};
    bm::node_arena arena = random_tree(400, random);
    paths all;
    describe(arena, 0, {}, all);
    CHECK(all.size() == 400);
  }
}

TEST_CASE("a kept subtree is what it was, under a new root, and nothing else") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    bm::random_stream random{bm::random_key{seed}};
    bm::node_arena arena = random_tree(300, random);
    for (int move = 0; move < 4 && arena[0].num_children > 0; ++move) {
      std::uint32_t const next = arena.child(arena[0])[seed % arena[0].num_children];
      if (arena[next].state == bm::node_state::terminal) break;
      paths before, after;
      describe(arena, next, {}, before);
      arena.keep_subtree(next);
      describe(arena, 0, {}, after);
      REQUIRE(arena.size() == before.size());
      REQUIRE(after.size() == before.size());
      for (auto const& [path, node] : before) {
        expected_node const& found = after.at(path);
        REQUIRE(found.visits == node.visits);
        REQUIRE(found.value_sum == node.value_sum);
        REQUIRE(found.priors == node.priors);
        REQUIRE(found.state == node.state);
      }
      if (arena[0].num_edges < 20) break;
      grow(arena, 300, random);  // what was dropped has made room
    }
  }
}

TEST_CASE("the most crowded and the longest tree fit") {
  constexpr int size = 500;
  bm::node_arena wide(size, size), deep(size, 1);
  wide.add_edges(wide[0], size);
  for (int i = 1; i < size; ++i) CHECK(wide.add_child(0) == static_cast<std::uint32_t>(i));
  deep.add_edges(deep[0], 1);
  for (std::uint32_t i = 0; i + 1 < size; ++i) {
    CHECK(deep.add_child(i) == i + 1);
    deep.add_edges(deep[i + 1], 1);
  }
  for (std::uint32_t i = 1; i < size; ++i) CHECK(wide.child(wide[0])[i - 1] == i);
  CHECK(deep[size - 1].parent == size - 2);
}

TEST_CASE("a cleared arena is a single root that awaits its evaluation") {
  bm::random_stream random{bm::random_key{1}};
  bm::node_arena arena = random_tree(50, random);
  arena.clear();
  CHECK(arena.size() == 1);
  CHECK(arena[0].state == bm::node_state::pending);
  CHECK(arena[0].visits == 0);
  CHECK(arena[0].num_children == 0);
}

TEST_CASE("the size said is that of the arrays") {
  std::size_t const small = bm::node_arena::bytes(100, 7), large = bm::node_arena::bytes(200, 7);
  CHECK(large == 2 * small);
  CHECK(small >= 100 * (sizeof(bm::tree_node) + 7 * (sizeof(float) + sizeof(std::uint16_t))));
}

TEST_CASE("moves are sorted by prior and action, in part first and the rest later, or all at once") {
  constexpr int most = 100, first = bm::sorted_at_first;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    bm::random_stream random{bm::random_key{seed}};
    int const n = 1 + static_cast<int>(seed) % most;
    std::vector<std::pair<float, int>> expected;  // less prior first, so its negative is stored
    std::vector<float> priors, again;
    std::vector<std::uint16_t> moves, moves_again;
    for (int a = 0; a < n; ++a) {
      priors.push_back(std::floor(random.uniform() * 10) / 10);  // many are equal, and some are 0
      moves.push_back(static_cast<std::uint16_t>(a));
      expected.emplace_back(-priors.back(), a);
    }
    std::sort(expected.begin(), expected.end());
    again = priors, moves_again = moves;
    auto const in_order = [&](int up_to) {
      for (int i = 0; i < up_to; ++i)
        if (moves[static_cast<std::size_t>(i)] != expected[static_cast<std::size_t>(i)].second ||
            priors[static_cast<std::size_t>(i)] != -expected[static_cast<std::size_t>(i)].first)
          return false;
      return true;
    };
    bm::sort_first_by_prior<most>(priors.data(), moves.data(), n);
    REQUIRE(in_order(std::min(first, n)));
    if (n > first)
      for (auto a = moves.begin() + first + 1; a != moves.end(); ++a) REQUIRE(a[-1] < a[0]);
    if (n > first) bm::sort_by_prior<most>(priors.data() + first, moves.data() + first, n - first);
    REQUIRE(in_order(n));
    bm::sort_by_prior<most>(again.data(), moves_again.data(), n);
    REQUIRE(again == priors);
    REQUIRE(moves_again == moves);
  }
}
