#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/proof.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

namespace bm = batchmate;

namespace {

/// A tree of nodes without visits but these, put together by hand.
struct hand_made {
  bm::node_arena tree{32, 4};

  hand_made() {
    tree[0].visits = 1;
    expand(0, 2);
  }
  void expand(std::uint32_t n, int moves) {
    tree.add_edges(tree[n], moves);
    std::fill_n(tree.priors(tree[n]), moves, 0.5f);
    tree[n].state = bm::node_state::sorted;
  }
  /// A child whose visits were worth `value` each, which its ancestors know of.
  std::uint32_t add(std::uint32_t parent, int moves, std::uint32_t visits, float value) {
    std::uint32_t const n = tree.add_child(parent);
    if (moves > 0) expand(n, moves);
    tree[n].own_value = value;
    tree[n].state = moves > 0 ? bm::node_state::sorted : bm::node_state::terminal;
    for (std::uint32_t m = n;; m = tree[m].parent, value = -value) {
      tree[m].visits += visits;
      tree[m].value_sum += value * static_cast<float>(visits);
      if (m == 0) return n;
      tree.refresh(tree[m]);
    }
  }
  float score(std::uint32_t n) { return tree.q(tree[tree[n].parent])[tree[n].place]; }
};

/// The result of best play by looking at all of it.
template <bm::game G>
float solve(G const& position) {
  if (auto const result = position.result()) return *result;
  float best = -1;
  position.legal_actions().for_each([&](int a) {
    if (best == 1) return;
    G next = position;
    next.play(a);
    best = std::max(best, -solve(next));
  });
  return best;
}

/// Compares everything below a node with the solution; returns how many nodes are proven and not finished games.
template <bm::game G>
int check_proofs(bm::node_arena const& tree, std::uint32_t n, G const& position) {
  int proven = 0;
  if (bm::is_proven(tree[n].state)) {
    REQUIRE(bm::final_value(tree[n]) == solve(position));
    REQUIRE(tree[n].value_sum == bm::final_value(tree[n]) * static_cast<float>(tree[n].visits));
    proven += !position.result();
  }
  float below = 0;
  std::uint32_t visits = 1;
  for (int i = 0; i < tree[n].num_children; ++i) {
    std::uint32_t const child = tree.child(tree[n])[i];
    G next = position;
    next.play(tree.actions(tree[n])[i]);
    proven += check_proofs(tree, child, next);
    below -= tree[child].value_sum;
    visits += tree[child].visits;
  }
  if (tree[n].num_children == 0) return proven;
  REQUIRE((visits == tree[n].visits || bm::is_proven(tree[n].state)));
  if (!bm::is_proven(tree[n].state)) REQUIRE(tree[n].value_sum == tree[n].own_value + below);
  return proven;
}

/// Plays a game whose every proof is compared with the solution; returns how many were not of finished games.
template <bm::game G>
int check_game(G position, bm::puct const& settings) {
  fake_network network;
  bm::batch_buffer<G> buffer(network, settings.leaves);
  bm::puct::tree<G> tree(settings);
  tree.start({}, 0);
  int proven = 0;
  for (bm::decision<G> found; !position.result(); tree.advance(found.action)) {
    bool const known = bm::is_proven(tree.nodes()[0].state);
    int const rows = search_one_move(tree, position, network, buffer, settings.leaves);
    CHECK((!known || rows == 0));
    proven += check_proofs(tree.nodes(), 0, position);
    found = {};
    tree.decide(found);
    if (bm::is_proven(tree.nodes()[0].state)) {
      CHECK(found.value == solve(position));
      G next = position;
      next.play(found.action);
      CHECK(-solve(next) == found.value);
    }
    position.play(found.action);
  }
  return proven;
}

template <bm::game G>
G after(std::initializer_list<char const*> moves) {
  G position;
  for (char const* move : moves) position.play(*G::parse_action(move));
  return position;
}

}  // namespace

TEST_CASE("one lost child proves a win, and its value replaces the simulations'") {
  hand_made by_hand;
  bm::node_arena& tree = by_hand.tree;
  std::uint32_t const other = by_hand.add(0, 2, 4, 0.5f), inner = by_hand.add(0, 3, 3, 0.5f);
  std::uint32_t const lost = by_hand.add(inner, 0, 2, bm::loss);
  bm::prove_upwards(tree, lost);
  CHECK(tree[lost].state == bm::node_state::lost);
  CHECK(tree[inner].state == bm::node_state::won);
  CHECK(tree[inner].value_sum == 5);
  CHECK(by_hand.score(inner) < -1e29f);  // the root does not go there any more
  CHECK(tree[0].state == bm::node_state::sorted);
  CHECK(tree[0].value_sum == -0.5f * 4 - 5);
  CHECK(by_hand.score(other) == -0.5f);
  // The root's other move turns out to lose, too.
  bm::prove_upwards(tree, by_hand.add(other, 0, 1, bm::loss));
  CHECK(tree[0].state == bm::node_state::lost);
  CHECK(tree[0].value_sum == -static_cast<float>(tree[0].visits));
}

TEST_CASE("a node with a move not proven to lose is open, and the best of proven ones counts") {
  hand_made by_hand;
  bm::node_arena& tree = by_hand.tree;
  std::uint32_t const inner = by_hand.add(0, 3, 1, 0.25f);
  std::uint32_t const first = by_hand.add(inner, 0, 1, bm::win), second = by_hand.add(inner, 0, 1, bm::draw);
  bm::prove_upwards(tree, first);
  bm::prove_upwards(tree, second);
  CHECK(tree[inner].state == bm::node_state::sorted);
  bm::prove_upwards(tree, by_hand.add(inner, 0, 1, bm::win));
  CHECK(tree[inner].state == bm::node_state::drawn);
  CHECK(tree[inner].value_sum == 0);
  CHECK(tree[0].state == bm::node_state::sorted);
}

TEST_CASE("a result between a draw and a win proves nothing") {
  hand_made by_hand;
  std::uint32_t const n = by_hand.add(0, 0, 1, -0.5f);
  bm::prove_upwards(by_hand.tree, n);
  CHECK(by_hand.tree[n].state == bm::node_state::terminal);
  CHECK(bm::final_value(by_hand.tree[n]) == -0.5f);
  bm::prove_upwards(by_hand.tree, by_hand.add(0, 0, 1, bm::win));
  CHECK(by_hand.tree[0].state == bm::node_state::sorted);
}

TEST_CASE("weights are those of the moves that are not proven to be worse") {
  hand_made by_hand;
  bm::node_arena& tree = by_hand.tree;
  std::uint32_t const first = by_hand.add(0, 2, 4, 0.5f), second = by_hand.add(0, 2, 2, 0.5f);
  float weights[2] = {4, 2};
  CHECK(bm::weigh_proofs(tree, weights) == 6);
  tree[first].state = bm::node_state::won;
  CHECK(bm::weigh_proofs(tree, weights) == 2);
  CHECK(weights[0] == 0);
  tree[second].state = bm::node_state::won;
  CHECK(bm::weigh_proofs(tree, weights) == 0);
  weights[0] = 4, weights[1] = 2;
  tree[0].state = bm::node_state::lost;
  CHECK(bm::weigh_proofs(tree, weights) == 6);
  tree[0].state = bm::node_state::drawn;
  tree[first].state = bm::node_state::drawn;
  CHECK(bm::weigh_proofs(tree, weights) == 4);
  tree[0].state = bm::node_state::won;
  weights[0] = 4, weights[1] = 2;
  tree[second].state = bm::node_state::lost;
  CHECK(bm::weigh_proofs(tree, weights) == 2);
}

TEST_CASE("what a search proves is what best play leads to") {
  for (int leaves : {1, 4})
    for (bool reuse : {true, false}) {
      auto const settings = [&](int simulations) {
        return bm::puct{.simulations = simulations, .prove = true, .reuse_tree = reuse, .leaves = leaves};
      };
      CHECK(check_game(nim{}, settings(5)) > 0);
      CHECK(check_game(nim{}, settings(100)) > 0);
      CHECK(check_game(after<bm::tictactoe>({"b2", "b1"}), settings(60)) > 0);
      CHECK(check_game(after<bm::tictactoe>({"b2", "a1"}), settings(1500)) > 0);
      CHECK(check_game(after<bm::hex<3>>({"a1"}), settings(40)) > 0);
      CHECK(check_game(after<bm::hex<3>>({"a1"}), settings(1500)) > 0);
    }
}

TEST_CASE(
    "where all visited moves lose, an unvisited one is played and the rest of the priors is the target") {
  // It likes to take most of all; of five stones that leaves two, and the opponent takes these.
  struct greedy : fake_network {
    void submit(int, bm::batch<nim> const& rows) const {
      for (int b = 0; b < rows.count; ++b) {
        bool const many = rows.rows[b].legal.count() == 3;
        rows.values[b] = 0;
        std::copy_n(many ? std::array{0.25f, 0.15f, 0.6f}.data() : std::array{0.1f, 0.9f, 0.0f}.data(), 3,
                    rows.priors_of(b));
      }
    }
  } network;
  bm::batch_buffer<nim> buffer(network, 1);
  for (float noise : {0.0f, 0.1f}) {  // which is no part of the target
    bm::puct::tree<nim> tree(
        bm::puct{.simulations = 2, .noise_fraction = noise, .noise_alpha = 100, .prove = true});
    tree.start({}, 0);
    search_one_move(tree, nim{5}, network, buffer, 1);
    bm::decision<nim> found;
    tree.decide(found);
    CHECK(found.simulations == 2);
    CHECK(found.action == 0);
    CHECK(found.policy[0] == doctest::Approx(0.625));
    CHECK(found.policy[1] == doctest::Approx(0.375));
    CHECK(found.policy[2] == 0);
  }
}
