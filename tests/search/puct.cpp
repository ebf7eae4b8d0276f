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
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
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
