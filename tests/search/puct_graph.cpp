#include <batchmate/batch/lockstep.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>
#include <batchmate/search/puct_graph.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/hash_game.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// A token on a ring of 12 cells: a move takes it one, two or three cells on, and who takes it to cell 0 wins. From
/// cell 6 it may also be put back to cell 5, or be left there, so that positions come again without end.
struct ring {
  static constexpr int num_actions = 5;
  static constexpr bm::shape input{2, 1, 12};
  static constexpr int max_plies = 10000;
  int cell = 3;
  int player = 0;

  bm::action_set<num_actions> legal_actions() const {
    bm::action_set<num_actions> legal;
    for (int a = 0; a < (cell == 6 ? 5 : 3); ++a) legal.set(a);
    return legal;
  }
  void play(int action) {
    if (action < 3) cell = (cell + action + 1) % 12;
    if (action == 3) cell = 5;
    player = 1 - player;
  }
  std::optional<float> result() const {
    if (cell == 0) return bm::loss;
    return std::nullopt;
  }
  void encode(bm::plane_bits<input>& planes) const {
    planes.set(0, 0, cell);
    if (player == 1) planes.fill(1);
  }
  std::uint64_t key() const { return static_cast<std::uint64_t>(2 * cell + player); }
};

/// The graph search as its description has it: nodes by key, and a recursive playout.
template <bm::game G>
class textbook {
 public:
  struct node {
    float own_value = 0, value = 0;
    int visits = 0;
    bool ended = false;
    std::map<int, float> priors;
    std::vector<int> order;         // of the actions, greatest prior first
    std::map<int, int> chosen;      // visits of the moves
    std::map<int, node*> children;  // of those with visits
  };

  textbook(bm::puct_graph const& settings, G const& root) : settings_(settings), root_(root) {
    playout(root);
    for (int i = 0; i < settings.simulations; ++i) playout(root);
  }

  node const& root() { return nodes_[root_.key()]; }
  std::size_t num_nodes() const { return nodes_.size(); }

 private:
  void playout(G const& position) {
    node& at = nodes_[position.key()];
    if (at.ended || way_.contains(position.key())) return;
    if (at.visits == 0) return evaluate(at, position);
    way_.insert(position.key());
    int const action = best_action(at);
    G next = position;
    next.play(action);
    at.children[action] = &nodes_[next.key()];
    playout(next);
    ++at.chosen[action];
    at.visits = 1;
    float sum = at.own_value;
    for (int a : at.order) {
      if (at.chosen[a] == 0) continue;
      at.visits += at.chosen[a];
      sum -= at.children.at(a)->value * static_cast<float>(at.chosen[a]);
    }
    at.value = sum / static_cast<float>(at.visits);
    way_.erase(position.key());
  }

  void evaluate(node& at, G const& position) {
    at.visits = 1;
    if (auto const result = position.result()) {
      at.own_value = at.value = *result;
      at.ended = true;
      return;
    }
    bm::row<G> row;
    row.legal = position.legal_actions();
    row.encode(position);
    float priors[G::num_actions];
    fake_answer(bm::batch<G>{1, &position, &row, &at.own_value, priors}.raw(), 0);
    at.value = at.own_value;
    int k = 0;
    row.legal.for_each([&](int a) { at.priors[a] = priors[k++], at.order.push_back(a); });
    std::stable_sort(at.order.begin(), at.order.end(),
                     [&](int a, int b) { return at.priors[a] > at.priors[b]; });
  }

  int best_action(node& at) const {
    float const scale = settings_.exploration * std::sqrt(static_cast<float>(at.visits));
    float best = -1e30f;
    int action = -1;
    for (int a : at.order) {
      int const n = at.chosen[a];
      float const q = n > 0 ? -at.children.at(a)->value : std::max(at.value - settings_.fpu_reduction, -1.0f);
      float const score = q + scale * (at.priors.at(a) / static_cast<float>(1 + n));
      if (score > best) best = score, action = a;
    }
    return action;
  }

  bm::puct_graph settings_;
  G root_;
  std::map<std::uint64_t, node> nodes_;
  std::set<std::uint64_t> way_;  // the keys passed by the playout under way
};

/// Searches a position with the library and by the textbook; returns the nodes in the graph.
template <bm::game G>
int compare(G const& position, bm::puct_graph settings) {
  CAPTURE(settings.identity());
  settings.noise_fraction = 0;
  settings.temperature = 0;
  fake_network network;
  bm::batch_buffer<G> buffer(network, 1);
  bm::puct_graph::tree<G> graph(settings);
  graph.start({}, 0);
  int const rows = search_one_move(graph, position, network, buffer, 1);
  bm::decision<G> found;
  graph.decide(found);
  textbook<G> expected(settings, position);
  CHECK(found.value == std::clamp(expected.root().value, -1.0f, 1.0f));
  CHECK(found.raw_value == expected.root().own_value);
  CHECK(found.simulations == settings.simulations);
  for (auto const& [action, visits] : expected.root().chosen)
    CHECK(found.policy[static_cast<std::size_t>(action)] ==
          static_cast<float>(visits) / static_cast<float>(settings.simulations));
  CHECK(static_cast<std::size_t>(graph.num_nodes()) == expected.num_nodes());
  CHECK(rows <= graph.num_nodes());
  return graph.num_nodes();
}

}  // namespace

TEST_CASE("values and visits are those of a textbook's graph search, with and without cycles") {
  for (float fpu : {0.0f, 0.5f})
    for (float exploration : {0.5f, 1.5f})
      for (int simulations : {1, 2, 20, 300, 2000}) {
        bm::puct_graph const settings{
            .simulations = simulations, .exploration = exploration, .fpu_reduction = fpu};
        CHECK(compare(ring{}, settings) <= 24);
        compare(ring{5, 1}, settings);
        compare(bm::tictactoe{}, settings);
      }
}

namespace {

/// Counts how often each position has been asked for.
struct counting_network : fake_network {
  std::map<std::uint64_t, int> asked{};

  void submit(int, bm::batch<bm::tictactoe> const& rows) {
    for (int b = 0; b < rows.count; ++b) ++asked[rows.positions[b].key()];
    answer(rows.raw());
  }
  int most() const {
    int found = 0;
    for (auto const& [key, times] : asked) found = std::max(found, times);
    return found;
  }
};

template <class S>
int most_evaluations(S const& settings) {
  counting_network network;
  bm::batch_buffer<bm::tictactoe> buffer(network, 1);
  typename S::template tree<bm::tictactoe> tree(settings);
  tree.start({}, 0);
  search_one_move(tree, bm::tictactoe{}, network, buffer, 1);
  return network.most();
}

}  // namespace

TEST_CASE("a position reached in several ways is evaluated once") {
  CHECK(most_evaluations(bm::puct{.simulations = 1000}) > 1);
  CHECK(most_evaluations(bm::puct_graph{.simulations = 1000}) == 1);
}

namespace {

/// Tic-tac-toe with so few keys that most positions share theirs with others.
struct crowded : bm::tictactoe {
  std::uint64_t key() const { return bm::tictactoe::key() % 3; }
};

template <bm::game G>
bm::decision<G> searched() {
  fake_network network;
  bm::batch_buffer<G> buffer(network, 1);
  bm::puct_graph::tree<G> graph(bm::puct_graph{.simulations = 300, .noise_fraction = 0, .temperature = 0});
  graph.start({}, 0);
  search_one_move(graph, G{}, network, buffer, 1);
  bm::decision<G> found;
  graph.decide(found);
  return found;
}

}  // namespace

TEST_CASE("two boards that share a key by chance do not share a node") {
  auto const expected = searched<bm::tictactoe>();
  auto const found = searched<crowded>();
  CHECK(found.action == expected.action);
  CHECK(found.value == expected.value);
  CHECK(found.policy == expected.policy);
}

TEST_CASE("on a ring with cycles the winning way is found") {
  // From cell 9 three cells are left. From cell 8 every move leaves three, two or one: the mover loses.
  for (auto const& expected : {std::pair{9, 1}, {10, 1}, {8, -1}, {6, 1}, {5, 1}}) {
    int const cell = expected.first, value = expected.second;
    bm::uniform network;
    bm::batch_buffer<ring> buffer(network, 1);
    bm::puct_graph::tree<ring> graph(
        bm::puct_graph{.simulations = 3000, .noise_fraction = 0, .temperature = 0});
    graph.start({}, 0);
    search_one_move(graph, ring{cell, 0}, network, buffer, 1);
    bm::decision<ring> found;
    graph.decide(found);
    CAPTURE(cell);
    CHECK(found.value * static_cast<float>(value) > 0.8f);
    if (value > 0) CHECK((cell + found.action + 1) % 4 == 0);  // to cell 0 or 8
  }
}

TEST_CASE("games by graph search are the same in batches of any size") {
  auto const games = [](bm::lockstep const& policy) {
    bm::self_play play{bm::tictactoe{}, bm::puct_graph{.simulations = 20}, policy, fake_network{}};
    return play.run({.episodes = 80, .seed = 3}, [](bm::episode<bm::tictactoe> const&) {}).episodes_hash;
  };
  auto const expected = games(bm::lockstep{.games = 1});
  CHECK(games(bm::lockstep{.games = 64}) == expected);
}

namespace {

/// A game that reaches every position in one way alone, so that its graph is a tree.
struct tree_of_positions : hash_game<7, 12> {
  std::uint64_t key() const { return state; }
};

/// Decides a move, and begins the next one.
template <class Tree>
bm::decision<tree_of_positions> decided(Tree& tree, tree_of_positions const& position) {
  fake_network network;
  bm::batch_buffer<tree_of_positions> buffer(network, 1);
  search_one_move(tree, position, network, buffer, 1);
  bm::decision<tree_of_positions> found;
  tree.decide(found);
  tree.advance(found.action);
  return found;
}

/// Decides the first moves of some games by graph and by `puct`; returns how many searches were full ones, and how
/// many advised to resign.
std::pair<int, int> decide_as_puct(bm::puct_graph const& settings) {
  CAPTURE(settings.identity());
  int full = 0, resigned = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    tree_of_positions position;
    position.state = bm::mix_bits(seed);
    bm::puct_graph::tree<tree_of_positions> graph(settings);
    bm::puct::tree<tree_of_positions> tree(settings.as_puct());
    graph.start(bm::random_key{seed}, 0);
    tree.start(bm::random_key{seed}, 0);
    for (int ply = 0; ply < 4 && !position.result(); ++ply) {
      auto const found = decided(graph, position), expected = decided(tree, position);
      CHECK(found.action == expected.action);
      CHECK(found.policy == expected.policy);
      CHECK(found.value == doctest::Approx(expected.value).epsilon(1e-4));
      CHECK(found.surprise == doctest::Approx(expected.surprise).epsilon(1e-4));
      CHECK(found.raw_value == expected.raw_value);
      CHECK(found.simulations == expected.simulations);
      CHECK(found.full == expected.full);
      CHECK(found.resign == expected.resign);
      full += found.full;
      resigned += found.resign;
      position.play(found.action);
    }
  }
  return {full, resigned};
}

}  // namespace

TEST_CASE("where the graph is a tree, each option does what it does in puct") {
  bm::puct_graph const plain{.simulations = 120};
  auto const [moves, resigned] = decide_as_puct(plain);
  CHECK(moves > 20);
  CHECK(resigned == 0);
  auto const with = [&](auto const& change) {
    bm::puct_graph changed = plain;
    change(changed);
    CHECK(changed.identity() != plain.identity());
    return decide_as_puct(changed);
  };
  with([](auto& s) { s.exploration_growth = 1, s.exploration_base = 50; });
  with([](auto& s) { s.fpu = bm::first_play::visited_policy, s.fpu_reduction = 0.3f; });
  with([](auto& s) { s.fpu = bm::first_play::absolute, s.fpu_value = -0.5f; });
  with([](auto& s) { s.fpu_reduction = 0.5f, s.fpu_reduction_at_root = false; });
  with([](auto& s) { s.root_temperature = 1.5f; });
  with([](auto& s) { s.noise_shaped = true; });
  with([](auto& s) { s.forced_playouts = 2; });
  with([](auto& s) { s.temperature = 0; });
  CHECK(with([](auto& s) { s.full_share = 0.5f, s.cheap_simulations = 20; }).first < moves);
  with([](auto& s) {
    s.full_share = 0, s.cheap_simulations = 20, s.forced_playouts = 2, s.root_temperature = 2;
  });
  CHECK(with([](auto& s) { s.resign_below = -0.1f; }).second > 0);
}

TEST_CASE("settings out of range are refused, and the identity is the graph's own") {
  CHECK_THROWS_AS(bm::puct_graph{.simulations = 0}.check(), bm::contract_error);
  CHECK_THROWS_AS(bm::puct_graph{.noise_fraction = 2}.check(), bm::contract_error);
  CHECK(bm::puct_graph{}.identity() != bm::puct{.reuse_tree = false}.identity());
  CHECK(bm::puct_graph{}.identity() != bm::puct_graph{.exploration = 1}.identity());
  CHECK(bm::puct_graph{.simulations = 200}.tree_bytes<ring>() >
        bm::puct_graph{.simulations = 100}.tree_bytes<ring>() + 100 * 5 * 14);
}
