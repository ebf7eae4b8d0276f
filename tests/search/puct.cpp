#include <batchmate/batch/immediate.hpp>
#include <batchmate/batch/lockstep.hpp>
#include <batchmate/eval/uniform.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/self_play.hpp>
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
#include <optional>
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
      root_->squares = value_ * value_;
    }
    bm::random_key const key = episode_.split(static_cast<std::uint64_t>(ply));
    bm::random_stream chance{key.split(bm::purpose::move).split(bm::purpose::sampling)};
    full_ = chance.uniform() < settings_.full_share;
    network_priors_ = root_->priors;
    if (full_) prepare_root(key);
    simulations_ = 0;
    int const wanted = (full_ ? settings_.simulations : settings_.cheap_simulations) - reused;
    while (simulations_ < wanted && !root_->proven) wave(wanted);
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
    float own_value = 0;
    std::optional<float> proven;  // for the player to move
    double sum = 0, squares = 0;  // of the values of its visits
  };

  void expand(node& at) {
    bm::row<G> row;
    row.legal = at.position.legal_actions();
    row.encode(at.position);
    float priors[G::num_actions];
    fake_answer(bm::batch<G>{1, &at.position, &row, &value_, priors}.raw(), 0);
    int k = 0;
    row.legal.for_each([&](int a) { at.priors[a] = priors[k++]; });
    at.own_value = value_;
    at.state = node::open;
    for (auto const& [action, prior] : at.priors) at.order.push_back(action);
    sort(at, at.order.begin());
  }

  void sort(node& at, std::vector<int>::iterator from) {
    std::stable_sort(from, at.order.end(), [&](int a, int b) { return at.priors[a] > at.priors[b]; });
  }

  /// Changes the root's priors for this move's search; moves without visits are put in order again.
  void prepare_root(bm::random_key key) {
    auto& priors = root_->priors;
    if (settings_.root_temperature != 1) {
      double const most = priors[root_->order[0]];
      double sum = 0;
      for (int a : root_->order) sum += std::pow(priors[a] / most, 1.0 / settings_.root_temperature);
      for (auto& [action, prior] : priors)
        prior = static_cast<float>(std::pow(prior / most, 1.0 / settings_.root_temperature) / sum);
    }
    if (settings_.noise_fraction > 0) add_noise(key.split(bm::purpose::noise));
    // Those that have been visited keep their places, as do equal ones.
    sort(*root_, root_->order.begin() + static_cast<std::ptrdiff_t>(root_->children.size()));
  }

  void add_noise(bm::random_key key) {
    bm::random_stream random{key};
    double const count = static_cast<double>(root_->priors.size());
    double const alpha = settings_.noise_alpha > 0 ? settings_.noise_alpha : 10.0 / count;
    std::map<int, double> noise, share = shares_of_noise();
    double sum = 0;
    for (auto const& [action, prior] : root_->priors)
      sum += noise[action] = random.gamma(settings_.noise_shaped ? alpha * count * share[action] : alpha);
    for (auto& [action, prior] : root_->priors)
      prior = (1 - settings_.noise_fraction) * prior +
              settings_.noise_fraction * static_cast<float>(noise[action] / sum);
  }

  std::map<int, double> shares_of_noise() {
    std::map<int, double> share;
    double mean = 0, sum = 0;
    for (int a : root_->order) mean += share[a] = std::log(std::min(0.01, double{root_->priors[a]}) + 1e-20);
    mean /= static_cast<double>(share.size());
    for (int a : root_->order) sum += share[a] = std::max(0.0, share[a] - mean);
    for (auto& [action, s] : share) {
      double const even = 1.0 / static_cast<double>(share.size());
      s = sum > 0 ? 0.5 * (s / sum + even) : even;
    }
    return share;
  }

  float value_of_unvisited(node const& at) const {
    if (settings_.fpu == bm::first_play::absolute) return settings_.fpu_value;
    bool const full_root = &at == root_.get() && full_;
    if (full_root && !settings_.fpu_reduction_at_root)
      return static_cast<float>(at.sum) / static_cast<float>(at.visits);
    float seen = 0;
    for (int a : at.order)
      if (at.children.contains(a)) seen += at.priors.at(a);
    float const reduction =
        settings_.fpu_reduction * (settings_.fpu == bm::first_play::visited_policy ? std::sqrt(seen) : 1.0f);
    return std::max(static_cast<float>(at.sum) / static_cast<float>(at.visits) - reduction, -1.0f);
  }

  float exploration_at(node const& at) const {
    double const growth = std::log((1 + static_cast<double>(at.visits) + settings_.exploration_base) /
                                   settings_.exploration_base);
    return static_cast<float>(settings_.exploration + settings_.exploration_growth * growth) *
           std::sqrt(static_cast<float>(at.visits));
  }

  /// The visits a root move should have had by now.
  float forced(int action) const {
    return std::sqrt(settings_.forced_playouts * root_->priors.at(action) *
                     static_cast<float>(root_->visits - 1));
  }

  int best_action(node const& at) const {
    if (&at == root_.get() && full_)
      for (int a : at.order)
        if (visits_of(a) > 0 && static_cast<float>(visits_of(a)) < forced(a) &&
            at.children.at(a)->proven != bm::win)
          return a;
    float const scale = exploration_at(at);
    float const unvisited = value_of_unvisited(at);
    float best = -std::numeric_limits<float>::infinity();
    int action = -1;
    for (int a : at.order) {
      auto const child = at.children.find(a);
      bool const seen = child != at.children.end();
      if (seen && child->second->proven == bm::win) continue;
      float const n = seen ? static_cast<float>(child->second->visits) : 0;
      float const q = seen ? static_cast<float>(-child->second->sum) / n : unvisited;
      float const score = q + scale * (at.priors.at(a) / (1 + n));
      if (score > best) best = score, action = a;
    }
    return action;
  }

  /// Finds everything that is proven below a node, and what its visits were worth in that light.
  void solve(node& at) {
    if (at.state == node::ended) {
      float const result = *at.position.result();
      if (result == bm::win || result == bm::draw || result == bm::loss) at.proven = result;
    }
    if (at.state != node::open) return;
    bool all = at.children.size() == at.priors.size();
    float best = -1;
    at.sum = at.own_value;
    at.squares = at.own_value * at.own_value;
    for (auto& [action, child] : at.children) {
      solve(*child);
      all = all && child->proven;
      if (child->proven) best = std::max(best, -*child->proven);
      at.sum -= child->sum;
      at.squares += child->squares;
    }
    if (best == bm::win || all) at.proven = best;
    if (!at.proven) return;
    double const value = *at.proven;
    at.sum = at.visits * value;
    at.squares = at.visits * value * value;
  }

  /// Adds visits that are worth `value` each to the player to move at the leaf.
  void back_up(node* at, int visits, double value) {
    for (; at; at = at->parent, value = -value) {
      at->visits += visits;
      at->sum += visits * value;
      at->squares += visits * value * value;
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
    while (static_cast<int>(leaves.size()) < settings_.leaves && simulations_ < wanted && !root_->proven) {
      node* at = root_.get();
      while (at->state == node::open && !at->proven) {
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
      if (at->state == node::ended || at->proven) {
        back_up(at, 1, at->proven ? *at->proven : *at->position.result());
        if (settings_.prove && leaves.empty()) solve(*root_);
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
    if (settings_.prove) solve(*root_);
  }

  bm::decision<G> outcome() const {
    bm::decision<G> d;
    d.simulations = simulations_;
    d.value = std::clamp(static_cast<float>(root_->sum / root_->visits), -1.0f, 1.0f);
    std::map<int, int> const weights = weigh();
    int total = 0, most = 0;
    for (auto const& [action, weight] : weights) total += weight;
    for (int a : root_->order) {
      d.policy[static_cast<std::size_t>(a)] =
          static_cast<float>(weights.at(a)) / static_cast<float>(std::max(total, 1));
      if (weights.at(a) > most) most = weights.at(a), d.action = a;
    }
    if (total == 0) choose_unvisited(d);
    d.raw_value = root_->own_value;
    d.full = full_;
    for (auto const& [action, prior] : network_priors_) {
      float const target = d.policy[static_cast<std::size_t>(action)];
      if (target > 0) d.surprise += target * std::log(target / std::max(prior, 1e-6f));
    }
    if (settings_.lower_bound_errors > 0 && total > 0) d.action = surest_action(weights, most);
    return d;
  }

  /// The visits of those moves that are not proven to be worse than others.
  std::map<int, int> weigh() const {
    std::map<int, int> weights;
    for (int a : root_->order) {
      weights[a] = visits_of(a);
      if (weights[a] == 0) continue;
      auto const child = root_->children.at(a)->proven;
      if (root_->proven ? child != -*root_->proven : child == bm::win) weights[a] = 0;
    }
    if (full_ && !root_->proven) prune(weights);
    return weights;
  }

  /// Takes out what was only forced, as far as the most visited move stays ahead.
  void prune(std::map<int, int>& weights) const {
    int best = root_->order[0];
    for (int a : root_->order)
      if (weights[a] > weights[best]) best = a;
    if (weights[best] == 0) return;
    auto const bound = [&](int a, int visits) {
      node const& child = *root_->children.at(a);
      float const q = static_cast<float>(-child.sum) / static_cast<float>(child.visits);
      return q + exploration_at(*root_) * root_->priors.at(a) / static_cast<float>(1 + visits);
    };
    for (int a : root_->order) {
      if (a == best || weights[a] == 0) continue;
      int const before = weights[a], least = std::max(0, before - static_cast<int>(forced(a)));
      while (weights[a] > least && bound(a, weights[a] - 1) < bound(best, weights[best])) --weights[a];
      if (weights[a] == 1 && before > 1) weights[a] = 0;
    }
  }

  void choose_unvisited(bm::decision<G>& d) const {
    float sum = 0;
    for (int a : root_->order)
      if (visits_of(a) == 0) sum += network_priors_.at(a);
    for (int a : root_->order) {
      if (visits_of(a) > 0) continue;
      if (d.action < 0) d.action = a;
      d.policy[static_cast<std::size_t>(a)] =
          sum > 0 ? network_priors_.at(a) / sum
                  : 1 / static_cast<float>(root_->order.size() - root_->children.size());
    }
  }

  int surest_action(std::map<int, int> const& weights, int most) const {
    float best = -std::numeric_limits<float>::infinity();
    int action = -1;
    for (int a : root_->order) {
      float const n = static_cast<float>(visits_of(a)), weight = static_cast<float>(weights.at(a));
      if (weight == 0 || weight < settings_.lower_bound_visits * static_cast<float>(most)) continue;
      node const& child = *root_->children.at(a);
      float const bound = bm::lower_bound(n, static_cast<float>(-child.sum) / n,
                                          static_cast<float>(child.squares), settings_.lower_bound_errors);
      if (bound > best) best = bound, action = a;
    }
    return action;
  }

  bm::puct settings_;
  bm::random_key episode_;
  std::unique_ptr<node> root_;
  std::map<int, float> network_priors_;  // of the root
  bool full_ = true;
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
    REQUIRE(found.raw_value == wanted.raw_value);
    REQUIRE(found.surprise == doctest::Approx(wanted.surprise).epsilon(1e-4));
    REQUIRE(found.full == wanted.full);
    REQUIRE(found.resign == (found.value < settings.resign_below));
    REQUIRE((visits == settings.simulations || settings.prove || !found.full));
    REQUIRE(static_cast<int>(nodes.size()) <= settings.max_nodes());
    REQUIRE(position.legal_actions().test(found.action));
    REQUIRE((expected.visits_of(found.action) > 0 || settings.prove));
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

/// The library's and the textbook's games with some options, for waves of one leaf and of four.
template <bm::game G>
void compare_options(bm::puct settings) {
  settings.temperature = 0;
  for (int leaves : {1, 4})
    for (bool reuse : {true, false}) {
      settings.leaves = leaves;
      settings.reuse_tree = reuse;
      compare<G>(settings, static_cast<std::uint64_t>(leaves), 2 * leaves - 1);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("every option does to visits what it does to a textbook's", G, bm::connect4, bm::hex<5>,
                   hash_game<80, 6>) {
  compare_options<G>({.simulations = 120, .exploration_growth = 1, .exploration_base = 20});
  compare_options<G>({.simulations = 120, .fpu = bm::first_play::visited_policy, .fpu_reduction = 0.6f});
  compare_options<G>({.simulations = 120, .fpu = bm::first_play::absolute, .fpu_value = -0.3f});
  compare_options<G>({.simulations = 120, .fpu_reduction = 0.4f, .fpu_reduction_at_root = false});
  compare_options<G>({.simulations = 60,
                      .fpu = bm::first_play::visited_policy,
                      .fpu_reduction = 0.6f,
                      .fpu_reduction_at_root = false,
                      .full_share = 0.4f,
                      .cheap_simulations = 20});
  compare_options<G>({.simulations = 60, .root_temperature = 1.4f, .noise_fraction = 0});
  compare_options<G>(
      {.simulations = 60, .root_temperature = 0.7f, .noise_alpha = 0.3f, .noise_shaped = true});
  compare_options<G>({.simulations = 60, .noise_fraction = 1, .noise_shaped = true});
  compare_options<G>({.simulations = 60, .exploration = 0, .noise_fraction = 0.5f});  // many ties
  compare_options<G>({.simulations = 150, .lower_bound_errors = 2});
  compare_options<G>({.simulations = 150, .lower_bound_errors = 5, .lower_bound_visits = 0.5f});
  compare_options<G>({.simulations = 100, .noise_alpha = 0.2f, .forced_playouts = 2});
  compare_options<G>({.simulations = 300, .forced_playouts = 4, .prove = true, .resign_below = 0.2f});
  compare_options<G>({.simulations = 60, .full_share = 0.4f, .cheap_simulations = 20});
  compare_options<G>({.simulations = 6, .prove = true});
  compare_options<G>({.simulations = 150, .prove = true, .lower_bound_errors = 1});
  compare_options<G>({.simulations = 600, .prove = true});
}

TEST_CASE("with all options the games are the same under any batching") {
  bm::puct settings{.simulations = 24, .exploration_growth = 1, .exploration_base = 50};
  settings.fpu = bm::first_play::visited_policy;
  settings.fpu_reduction = 0.3f;
  settings.root_temperature = 1.2f;
  settings.noise_shaped = settings.prove = true;
  settings.forced_playouts = 2;
  settings.full_share = 0.3f;
  settings.cheap_simulations = 8;
  settings.temperature_plies = 6;
  settings.lower_bound_errors = 2;
  for (int leaves : {1, 4}) {
    settings.leaves = leaves;
    auto const games = [&](auto const& policy) {
      int full = 0, cheap = 0;
      bm::self_play play{bm::connect4{}, settings, policy, fake_network{}};
      auto const counted = play.run({.episodes = 80, .seed = 7},
                                    [&](bm::sample<bm::connect4> const& s) { (s.full ? full : cheap) += 1; });
      CHECK(full > 0);
      CHECK(cheap > full);
      return counted.episodes_hash;
    };
    auto const expected = games(bm::immediate{});
    CHECK(games(bm::lockstep{.games = 64}) == expected);
    CHECK(games(bm::lockstep{.games = 3, .max_batch = 5}) == expected);
  }
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
