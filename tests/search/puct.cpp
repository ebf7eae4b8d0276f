#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/drive.hpp"
#include "../support/fake_network.hpp"
#include "../support/hash_game.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// PUCT as a textbook has it: nodes own their children and store their positions, selection looks at every
/// legal move, and the network answers at once.
template <bm::game G>
class textbook {
 public:
  textbook(bm::puct const& settings, bm::random_key episode, G const& opening)
      : settings_(settings), episode_(episode) {
    root_ = std::make_unique<node>();
    root_->position = opening;
  }

  /// One move's search.
  bm::decision<G> search(int ply) {
    int const reused = root_->state == node::open ? root_->visits - 1 : 0;
    if (root_->state == node::unknown) {
      expand(*root_);
      root_->visits = 1;
      root_->sum = value_;
    }
    add_noise(ply);
    simulations_ = 0;
    while (simulations_ < settings_.simulations - reused) wave(settings_.simulations - reused);
    return outcome();
  }

  void advance(int action) {
    auto const child = root_->children.find(action);
    if (settings_.reuse_tree && child != root_->children.end() && child->second->state == node::open) {
      auto next = std::move(child->second);
      next->parent = nullptr;
      root_ = std::move(next);
    } else {
      auto next = std::make_unique<node>();
      next->position = root_->position;
      next->position.play(action);
      root_ = std::move(next);
    }
  }

  int visits_of(int action) const {
    auto const child = root_->children.find(action);
    return child == root_->children.end() ? 0 : child->second->visits;
  }

 private:
  struct node {
    enum { unknown, waiting, open, ended } state = unknown;
    G position{};
    node* parent = nullptr;
    std::map<int, std::unique_ptr<node>> children;
    std::map<int, float> priors;
    std::vector<int> order;  // of the actions, greatest prior first, then smallest action
    int visits = 0;
    double sum = 0;
  };

  void expand(node& at) {
    bm::row<G> row;
    row.legal = at.position.legal_actions();
    row.encode(at.position);
    float priors[G::num_actions];
    fake_answer(bm::batch<G>{1, &at.position, &row, &value_, priors}.raw(), 0);
    int k = 0;
    row.legal.for_each([&](int a) { at.priors[a] = priors[k++]; });
    at.state = node::open;
    for (auto const& [action, prior] : at.priors) at.order.push_back(action);
    sort(at, at.order.begin());
  }

  void sort(node& at, std::vector<int>::iterator from) {
    std::stable_sort(from, at.order.end(), [&](int a, int b) { return at.priors[a] > at.priors[b]; });
  }

  void add_noise(int ply) {
    if (settings_.noise_fraction == 0) return;
    bm::random_stream random{episode_.split(static_cast<std::uint64_t>(ply)).split(bm::purpose::noise)};
    double const alpha =
        settings_.noise_alpha > 0 ? settings_.noise_alpha : 10.0 / static_cast<double>(root_->priors.size());
    std::map<int, double> noise;
    double sum = 0;
    for (auto const& [action, prior] : root_->priors) sum += noise[action] = random.gamma(alpha);
    for (auto& [action, prior] : root_->priors)
      prior = (1 - settings_.noise_fraction) * prior +
              settings_.noise_fraction * static_cast<float>(noise[action] / sum);
    // Those that have been visited keep their places.
    std::stable_sort(root_->order.begin() + static_cast<std::ptrdiff_t>(root_->children.size()),
                     root_->order.end(), [&](int a, int b) {
                       return root_->priors[a] != root_->priors[b] ? root_->priors[a] > root_->priors[b]
                                                                   : a < b;
                     });
  }

  int best_action(node const& at) const {
    float const scale = settings_.exploration * std::sqrt(static_cast<float>(at.visits));
    float const unvisited =
        std::max(static_cast<float>(at.sum) / static_cast<float>(at.visits) - settings_.fpu_reduction, -1.0f);
    float best = -std::numeric_limits<float>::infinity();
    int action = -1;
    for (int a : at.order) {
      auto const child = at.children.find(a);
      bool const seen = child != at.children.end();
      float const n = seen ? static_cast<float>(child->second->visits) : 0;
      float const q = seen ? static_cast<float>(-child->second->sum) / n : unvisited;
      float const score = q + scale * (at.priors.at(a) / (1 + n));
      if (score > best) best = score, action = a;
    }
    return action;
  }

  /// Adds visits that are worth `value` each to the player to move at the leaf.
  void back_up(node* at, int visits, double value) {
    for (; at; at = at->parent, value = -value) {
      at->visits += visits;
      at->sum += visits * value;
    }
  }
  /// As if the one who chose each node on the way had lost, or, with -1, no longer.
  void virtual_loss(node* at, int sign) {
    if (settings_.leaves == 1) return;
    for (; at; at = at->parent) {
      at->visits += sign * settings_.virtual_loss;
      at->sum += sign * settings_.virtual_loss;
    }
  }

  /// Finds up to `leaves` leaves, then evaluates them and backs them up in that order.
  void wave(int wanted) {
    std::vector<node*> leaves;
    while (static_cast<int>(leaves.size()) < settings_.leaves && simulations_ < wanted) {
      node* at = root_.get();
      while (at->state == node::open) {
        int const action = best_action(*at);
        auto& child = at->children[action];
        if (!child) {
          child = std::make_unique<node>();
          child->parent = at;
          child->position = at->position;
          child->position.play(action);
          if (child->position.result()) child->state = node::ended;
        }
        at = child.get();
      }
      if (at->state == node::waiting) break;
      ++simulations_;
      if (at->state == node::ended) {
        back_up(at, 1, *at->position.result());
        continue;
      }
      at->state = node::waiting;
      leaves.push_back(at);
      virtual_loss(at, 1);
    }
    for (node* leaf : leaves) {
      expand(*leaf);
      virtual_loss(leaf, -1);
      back_up(leaf, 1, value_);
    }
  }

  bm::decision<G> outcome() const {
    bm::decision<G> d;
    d.simulations = simulations_;
    d.value = std::clamp(static_cast<float>(root_->sum / root_->visits), -1.0f, 1.0f);
    int most = 0;
    for (int a : root_->order) {
      d.policy[static_cast<std::size_t>(a)] =
          static_cast<float>(visits_of(a)) / static_cast<float>(root_->visits - 1);
      if (visits_of(a) > most) most = visits_of(a), d.action = a;
    }
    return d;
  }

  bm::puct settings_;
  bm::random_key episode_;
  std::unique_ptr<node> root_;
  int simulations_ = 0;
  float value_ = 0;
};

/// Plays a game with the library's tree and with the textbook's, and compares every move.
template <bm::game G>
void compare(bm::puct const& settings, std::uint64_t number, int capacity) {
  CAPTURE(settings.identity());
  CAPTURE(capacity);
  fake_network network;
  bm::batch_buffer<G> buffer(network, capacity);
  bm::random_key const episode = bm::random_key{17}.split(number);
  bm::puct::tree<G> tree(settings);
  G position{};
  tree.start(episode, 0);
  textbook<G> expected(settings, episode, position);
  for (int ply = 0; !position.result(); ++ply) {
    search_one_move(tree, position, network, buffer, capacity);
    bm::decision<G> found, wanted = expected.search(ply);
    tree.decide(found);
    bool same = found.simulations == wanted.simulations && found.policy == wanted.policy;
    bm::node_arena const& nodes = tree.nodes();
    int visits = 0;
    for (int i = 0; i < nodes[0].num_children; ++i) {
      int const n = static_cast<int>(nodes[nodes.child(nodes[0])[i]].visits);
      same = same && n == expected.visits_of(nodes.actions(nodes[0])[i]);
      visits += n;
    }
    if (settings.temperature == 0) same = same && found.action == wanted.action;
    REQUIRE_MESSAGE(same, "ply " << ply);
    REQUIRE(found.value == wanted.value);
    REQUIRE(visits == settings.simulations);
    REQUIRE(static_cast<int>(nodes.size()) <= settings.max_nodes());
    REQUIRE(position.legal_actions().test(found.action));
    REQUIRE(expected.visits_of(found.action) > 0);
    position.play(found.action);
    if (position.result()) break;
    tree.advance(found.action);
    expected.advance(found.action);
  }
}

template <bm::game G>
void compare_all(std::vector<int> const& simulations, int games) {
  int capacity = 0;
  for (int s : simulations)
    for (int leaves : {1, 4})
      for (float noise : {0.0f, 0.25f})
        for (bool reuse : {true, false})
          for (int game = 0; game < games; ++game) {
            bm::puct settings{
                .simulations = s, .noise_fraction = noise, .reuse_tree = reuse, .leaves = leaves};
            settings.temperature = game % 2 ? 1.0f : 0.0f;
            settings.virtual_loss = 1 + game % 3;
            settings.exploration = game % 4 == 3 ? 0.3f : 1.5f;
            settings.fpu_reduction = game % 3 == 2 ? -0.5f : 0.25f;
            compare<G>(settings, static_cast<std::uint64_t>(game), std::array{1, 2, 7, 64}[capacity++ % 4]);
          }
}

}  // namespace

TEST_CASE_TEMPLATE("visit counts are those of a textbook's PUCT", G, nim, bm::tictactoe, bm::connect4,
                   bm::hex<5>, hash_game<9, 12>, hash_game<80, 6>) {
  compare_all<G>({1, 2, 17}, 3);
  compare_all<G>({200}, 1);
}

namespace {

/// Searches a position with a network that knows nothing, without noise.
template <bm::game G>
bm::decision<G> think(G const& position, int simulations, int leaves = 1) {
  bm::uniform evaluator;
  bm::puct::tree<G> tree(
      bm::puct{.simulations = simulations, .noise_fraction = 0, .temperature = 0, .leaves = leaves});
  bm::batch_buffer<G> buffer(evaluator, leaves);
  tree.start({}, 0);
  search_one_move(tree, position, evaluator, buffer, leaves);
  bm::decision<G> found;
  tree.decide(found);
  return found;
}

/// The position after moves in the game's own notation.
template <bm::game G>
G after(std::initializer_list<char const*> moves) {
  G position;
  for (char const* move : moves) position.play(*G::parse_action(move));
  return position;
}

}  // namespace

TEST_CASE("Connect Four: wins are taken, threats are met, double threats are seen") {
  auto const column = after<bm::connect4>({"4", "1", "4", "2", "4", "3"});
  auto const row = after<bm::connect4>({"1", "7", "2", "7", "3", "7"});
  for (int leaves : {1, 4}) {
    CHECK(think(column, 400, leaves).action == 3);
    CHECK(think(column, 400, leaves).value > 0.8f);
    CHECK(think(row, 400, leaves).action == 3);
    CHECK(think(after<bm::connect4>({"4", "1", "4", "2", "4"}), 2000, leaves).action == 3);
    CHECK(think(after<bm::connect4>({"1", "7", "2", "7", "3"}), 2000, leaves).action == 3);
    // Three in a row with both ends open cannot be stopped.
    auto const attack = think(after<bm::connect4>({"4", "4", "5", "5"}), 6000, leaves);
    CHECK((attack.action == 2 || attack.action == 5));
    CHECK(attack.value > 0.6f);
    auto const defence = think(after<bm::connect4>({"4", "4", "5"}), 6000, leaves);
    CHECK((defence.action == 2 || defence.action == 5));
  }
}

TEST_CASE("Hex: wins are taken, and a bridge is a connection") {
  auto const one_move = think(after<bm::hex<3>>({"b1", "a1", "b2", "c1"}), 200);
  CHECK((one_move.action == bm::hex<3>::parse_action("a3") ||
         one_move.action == bm::hex<3>::parse_action("b3")));
  CHECK(one_move.value > 0.8f);
  CHECK(think(after<bm::hex<3>>({"b2"}), 4000).value < -0.7f);  // the centre is bridged to both edges
  auto const intruded = think(after<bm::hex<3>>({"b2", "b1"}), 4000);
  CHECK(intruded.action == bm::hex<3>::parse_action("c1"));
  CHECK(intruded.value > 0.8f);
}

TEST_CASE("Tic-tac-toe: perfect play is a draw") {
  for (int leaves : {1, 4}) {
    bm::tictactoe position;
    while (!position.result()) position.play(think(position, 3000, leaves).action);
    CHECK(*position.result() == bm::draw);
  }
}

TEST_CASE("moves are drawn by visits and temperature in the first plies, later the most visited is played") {
  fake_network network;
  bm::batch_buffer<nim> buffer(network, 1);
  for (double temperature : {1.0, 0.5, 2.0}) {
    bm::puct settings{.simulations = 30, .noise_fraction = 0, .temperature_plies = 5};
    settings.temperature = static_cast<float>(temperature);
    bm::puct::tree<nim> tree(settings);
    std::array<int, 3> drawn{};
    bm::decision<nim> found;
    int const games = 3000;
    for (int game = 0; game < games; ++game) {
      tree.start(bm::random_key{3}.split(static_cast<std::uint64_t>(game)), 4);
      search_one_move(tree, nim{}, network, buffer, 1);
      tree.decide(found);
      ++drawn[static_cast<std::size_t>(found.action)];
    }
    std::array<double, 3> expected{};
    double sum = 0;
    for (std::size_t a = 0; a < 3; ++a)
      sum += expected[a] = std::pow(double{found.policy[a]}, 1 / temperature);
    for (std::size_t a = 0; a < 3; ++a) CHECK(std::abs(drawn[a] / double{games} - expected[a] / sum) < 0.04);
    CHECK(*std::max_element(drawn.begin(), drawn.end()) < games * 95 / 100);  // there was something to draw
    tree.start({}, 5);
    search_one_move(tree, nim{}, network, buffer, 1);
    tree.decide(found);
    auto const most = std::max_element(found.policy.begin(), found.policy.end());
    CHECK(found.policy[static_cast<std::size_t>(found.action)] == *most);
  }
}

TEST_CASE("noise differs from game to game and from ply to ply, and not from run to run") {
  fake_network network;
  bm::batch_buffer<bm::connect4> buffer(network, 1);
  bm::puct::tree<bm::connect4> tree(bm::puct{.simulations = 60});
  auto const policy = [&](std::uint64_t episode, int ply) {
    tree.start(bm::random_key{episode}, ply);
    search_one_move(tree, bm::connect4{}, network, buffer, 1);
    bm::decision<bm::connect4> found;
    tree.decide(found);
    return found.policy;
  };
  CHECK(policy(1, 0) == policy(1, 0));
  CHECK(policy(1, 0) != policy(2, 0));
  CHECK(policy(1, 0) != policy(1, 1));
}

TEST_CASE("a move that the search did not look at starts a new tree") {
  fake_network network;
  bm::batch_buffer<bm::tictactoe> buffer(network, 1);
  bm::puct::tree<bm::tictactoe> tree(bm::puct{.simulations = 1});
  bm::tictactoe position;
  tree.start({}, 0);
  search_one_move(tree, position, network, buffer, 1);
  bm::decision<bm::tictactoe> found;
  tree.decide(found);
  int const other = (found.action + 1) % 9;
  position.play(other);
  tree.advance(other);
  CHECK_FALSE(tree.done());
  CHECK(tree.nodes().size() == 1);
  CHECK(search_one_move(tree, position, network, buffer, 1) == 2);
}

TEST_CASE("settings out of range are refused with the field's name") {
  auto const refused = [](bm::puct const& settings, char const* field) {
    CHECK_THROWS_WITH_AS(settings.check(), doctest::Contains(field), bm::contract_error);
  };
  float constexpr nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_NOTHROW(bm::puct{}.check());
  refused({.simulations = 0}, "simulations");
  refused({.exploration = -1}, "exploration");
  refused({.exploration = nan}, "exploration");
  refused({.noise_fraction = 1.5f}, "noise_fraction");
  refused({.noise_alpha = -1}, "noise_alpha");
  refused({.temperature = -1}, "temperature");
  refused({.final_temperature = nan}, "temperature");
  refused({.leaves = 0}, "leaves");
  refused({.leaves = 2000}, "leaves");
  refused({.virtual_loss = 0}, "virtual_loss");
}

TEST_CASE("the identity names every setting") {
  std::set<std::string> identities;
  for (bm::puct const& settings : std::initializer_list<bm::puct>{{},
                                                                  {.simulations = 1},
                                                                  {.exploration = 1},
                                                                  {.fpu_reduction = 1},
                                                                  {.noise_fraction = 1},
                                                                  {.noise_alpha = 1},
                                                                  {.temperature = 2},
                                                                  {.temperature_plies = 1},
                                                                  {.final_temperature = 1},
                                                                  {.reuse_tree = false},
                                                                  {.leaves = 2},
                                                                  {.virtual_loss = 2}})
    identities.insert(settings.identity());
  CHECK(identities.size() == 12);
}
