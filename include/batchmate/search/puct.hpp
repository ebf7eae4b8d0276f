#pragma once

#include <batchmate/search/concepts.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/proof.hpp>
#include <batchmate/search/puct_options.hpp>
#include <batchmate/search/root_noise.hpp>
#include <batchmate/search/root_target.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

namespace batchmate {

template <game G>
class puct::tree {
 public:
  explicit tree(puct const& settings)
      : settings_((settings.check(), settings)),
        arena_(settings_.max_nodes(), G::num_actions),
        wave_(std::make_unique<std::uint32_t[]>(static_cast<std::size_t>(settings_.leaves))),
        squares_(settings_.lower_bound_errors > 0 ? std::make_unique<float[]>(arena_.capacity()) : nullptr) {}

  void start(random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    arena_.clear();
    begin_move();
  }

  void collect(G const& root, row_range<G>& out) {
    if (pushed_ == wave_size_)
      select_wave(root, out);
    else
      for (; pushed_ < wave_size_ && !out.full(); ++pushed_) {
        replay(wave_[pushed_], root, out.next());
        out.push();
      }
  }

  void absorb(batch<G> const& mine) {
    for (int i = 0; i < mine.count; ++i) {
      std::uint32_t const leaf = wave_[absorbed_++];
      tree_node& n = arena_[leaf];
      arena_.add_edges(n, mine.rows[i].legal.count());
      std::memcpy(arena_.priors(n), mine.priors_of(i), n.num_edges * sizeof(float));
      n.own_value = mine.values[i];
      n.state = node_state::evaluated;
      back_up(leaf, mine.values[i], settings_.leaves > 1 ? settings_.virtual_loss : 0);
    }
    if (absorbed_ < wave_size_) return;
    absorbed_ = pushed_ = wave_size_ = 0;
    if (settings_.prove) prove_new();
  }

  bool done() const {
    node_state const root = arena_[0].state;
    return wave_size_ == 0 && root != node_state::pending && (descents_ >= wanted_ || is_proven(root));
  }

  void decide(decision<G>& outcome) const {
    tree_node const& root = arena_[0];
    std::uint16_t const* const actions = arena_.actions(root);
    outcome.value = std::clamp(root.value_sum / static_cast<float>(root.visits), -1.0f, 1.0f);
    outcome.raw_value = root.own_value;
    outcome.simulations = descents_;
    outcome.policy = {};
    std::array<float, G::num_actions> weights;  // of the root's children
    float const total = weigh_moves(weights.data());
    if (total == 0) return choose_unvisited(outcome);
    for (int i = 0; i < root.num_children; ++i) outcome.policy[actions[i]] = weights[i] / total;
    outcome.action = actions[choose_move(weights.data(), root.num_children)];
  }

  void advance(int action) {
    tree_node const& root = arena_[0];
    std::uint32_t next = 0;
    if (settings_.reuse_tree)
      for (int i = 0; i < root.num_children; ++i)
        if (arena_.actions(root)[i] == action) next = arena_.child(root)[i];
    if (next != 0 && arena_[next].num_edges > 0)
      arena_.keep_subtree(next);
    else
      arena_.clear();
    ++ply_;
    begin_move();
  }

  /// The nodes, for people who look at a finished search; node 0 is the root.
  node_arena const& nodes() const { return arena_; }

 private:
  void begin_move() {
    wave_size_ = pushed_ = absorbed_ = descents_ = 0;
    root_ready_ = false;
    searched_for_proofs_ = arena_.size();
    tree_node const& root = arena_[0];
    wanted_ =
        settings_.simulations - (root.state == node_state::pending ? 0 : static_cast<int>(root.visits) - 1);
  }

  /// Selects up to `leaves` leaves and pushes those that find room.
  void select_wave(G const& root, row_range<G>& out) {
    wave_size_ = pushed_ = absorbed_ = 0;
    if (arena_[0].state == node_state::pending) {
      wave_[wave_size_++] = 0;
      if (settings_.leaves > 1) add_virtual_loss(0);
      if (out.full()) return;
      out.next() = root;
      out.push();
      pushed_ = 1;
      return;
    }
    if (!root_ready_) prepare_root(root);
    while (wave_size_ < settings_.leaves && descents_ < wanted_ && !is_proven(arena_[0].state)) {
      G elsewhere;
      bool const room = !out.full() && pushed_ == wave_size_;
      G& position = room ? out.next() : elsewhere;
      position = root;
      auto const [leaf, fresh] = descend(position);
      if (!fresh && arena_[leaf].state == node_state::pending) break;  // the wave met one of its own leaves
      ++descents_;
      if (arena_[leaf].state >= node_state::terminal) {
        back_up(leaf, final_value(arena_[leaf]), 0);
        if (settings_.prove && wave_size_ == 0) prove_new();
        continue;
      }
      wave_[wave_size_++] = leaf;
      if (settings_.leaves > 1) add_virtual_loss(leaf);
      if (!room) continue;
      out.push();
      ++pushed_;
    }
  }

  /// Makes proofs of the games that have ended in nodes added since the last time.
  void prove_new() {
    for (std::uint32_t& n = searched_for_proofs_; n < arena_.size(); ++n) prove_upwards(arena_, n);
  }

  struct found {
    std::uint32_t leaf;
    bool fresh;  // the leaf was added just now
  };

  /// Goes from the root to a node without children, adding it if it is new; `position` goes along.
  BATCHMATE_INLINE found descend(G& position) {
    std::uint32_t n = 0;
    for (;;) {
      tree_node& at = arena_[n];
      if (at.state == node_state::evaluated) sort_edges(at, position);
      if (at.state != node_state::sorted) return {n, false};
      int const place = select(at);
      position.play(arena_.actions(at)[place]);
      if (place < at.num_children) {
        n = arena_.child(at)[place];
        continue;
      }
      n = arena_.add_child(n);
      if (auto const result = position.result()) {
        arena_[n].own_value = *result;
        arena_[n].state = node_state::terminal;
      }
      return {n, true};
    }
  }

  /// The edge of greatest upper confidence bound: a visited one or the first unvisited.
  BATCHMATE_INLINE int select(tree_node const& at) {
    if (!plain_) return select_with_options(at);
    float const scale = settings_.exploration * std::sqrt(static_cast<float>(at.visits));
    return best_edge(at, scale, [&] {
      return std::max(at.value_sum / static_cast<float>(at.visits) - settings_.fpu_reduction, -1.0f);
    });
  }

  /// The same with all options that change the bound, kept out of the loop of those who do without.
  [[gnu::noinline]] int select_with_options(tree_node const& at) {
    float const scale = settings_.exploration_at(at.visits) * std::sqrt(static_cast<float>(at.visits));
    return best_edge(at, scale, [&] {
      float const* const priors = arena_.priors(at);
      float const seen = std::accumulate(priors, priors + at.num_children, 0.0f);
      return settings_.unvisited_value(at.value_sum / static_cast<float>(at.visits), seen);
    });
  }

  template <class Unvisited>
  BATCHMATE_INLINE int best_edge(tree_node const& at, float scale, Unvisited const& value_of_unvisited) {
    std::array<float, (G::num_actions + 7) / 8 * 8> scores;  // of the children
    float best = -1e30f;
    int place = 0;
    if (at.num_children > 0) {
      best = greatest_score(arena_.q(at), arena_.u(at), scale, at.num_children, scores.data());
      // A branch that can be guessed lets the processor go on with its guess, unlike arithmetic for the place.
      while (scores[place] != best) ++place;
    }
    if (at.num_children == at.num_edges) return place;
    return value_of_unvisited() + scale * arena_.priors(at)[at.num_children] > best ? at.num_children : place;
  }

  /// Adds a value, for the player to move at the leaf, to the leaf and all above it, taking `lost` virtual
  /// losses back.
  BATCHMATE_INLINE void back_up(std::uint32_t leaf, float value, int lost) {
    std::uint32_t const more = static_cast<std::uint32_t>(1 - lost);
    float const less = static_cast<float>(lost);
    for (std::uint32_t n = leaf;; value = -value) {
      tree_node& at = arena_[n];
      at.visits += more;
      at.value_sum += value - less;
      if (n == 0) return;
      arena_.refresh(at);
      n = at.parent;
    }
  }

  void add_virtual_loss(std::uint32_t leaf) {
    // A visit that the player who chose this node lost, hence won by the player to move there.
    for (std::uint32_t n = leaf;; n = arena_[n].parent) {
      arena_[n].visits += static_cast<std::uint32_t>(settings_.virtual_loss);
      arena_[n].value_sum += static_cast<float>(settings_.virtual_loss);
      if (n == 0) return;
      arena_.refresh(arena_[n]);
    }
  }

  /// Plays the moves from the root to a node.
  void replay(std::uint32_t n, G const& root, G& position) const {
    if (n == 0) {
      position = root;
      return;
    }
    replay(arena_[n].parent, root, position);
    position.play(arena_.actions(arena_[arena_[n].parent])[arena_[n].place]);
  }

  /// Puts an evaluated node's edges in order: greater priors first, then smaller actions.
  void sort_edges(tree_node& at, G const& position) {
    std::uint16_t* const actions = arena_.actions(at);
    int k = 0;
    position.legal_actions().for_each([&](int a) { actions[k++] = static_cast<std::uint16_t>(a); });
    at.state = node_state::sorted;
    sort_range(arena_.priors(at), actions, at.num_edges);
  }

  /// Puts moves in order: greater priors first, then those that were before.
  static void sort_range(float* priors, std::uint16_t* actions, int n) {
    bool unsorted = false;
    for (int i = 1; i < n; ++i) unsorted |= priors[i - 1] < priors[i];
    if (!unsorted) return;
    // A prior is not negative, so its bits order as it does; their complement puts the greatest first.
    std::array<std::uint64_t, std::max(G::num_actions, 32)> keys;  // g++ 12 warns of std::sort on fewer
    for (int i = 0; i < n; ++i)
      keys[i] = std::uint64_t{~std::bit_cast<std::uint32_t>(std::max(0.0f, priors[i]))} << 32 |
                static_cast<std::uint64_t>(i) << 16 | actions[i];
    std::sort(keys.begin(), keys.begin() + n);
    for (int i = 0; i < n; ++i) {
      priors[i] = std::bit_cast<float>(~static_cast<std::uint32_t>(keys[i] >> 32));
      actions[i] = static_cast<std::uint16_t>(keys[i]);
    }
  }

  /// Sorts the root's edges and mixes noise into its priors, once a move.
  void prepare_root(G const& root) {
    root_ready_ = true;
    tree_node& at = arena_[0];
    if (at.state == node_state::evaluated) sort_edges(at, root);
    bool const noisy = settings_.noise_fraction > 0;
    if (!noisy && settings_.root_temperature == 1) return;
    float* const priors = arena_.priors(at);
    std::uint16_t* const actions = arena_.actions(at);
    prepare_priors<G::num_actions>(priors, actions, at.num_edges, settings_, noisy,
                                   move_key().split(purpose::noise));
    // The visited children stay in front, whatever the noise did to their priors: they are all looked at
    // anyway.
    int const visited = at.num_children;
    sort_range(priors + visited, actions + visited, at.num_edges - visited);
    for (int i = 0; i < visited; ++i) {
      tree_node const& child = arena_[arena_.child(at)[i]];
      if (child.state != node_state::won) arena_.refresh(child);
    }
  }

  random_key move_key() const { return episode_.split(static_cast<std::uint64_t>(ply_)); }

  float visits_of(int i) const { return static_cast<float>(arena_[arena_.child(arena_[0])[i]].visits); }

  /// The weights by which the root's children are targets and are played; returns their sum.
  float weigh_moves(float* weights) const {
    for (int i = 0; i < arena_[0].num_children; ++i) weights[i] = visits_of(i);
    if (settings_.prove) return weigh_proofs(arena_, weights);
    return static_cast<float>(arena_[0].visits - 1);
  }

  /// All visited moves are proven to lose: the target is the network's policy for the others.
  void choose_unvisited(decision<G>& outcome) const {
    tree_node const& root = arena_[0];
    float const* const priors = arena_.priors(root);
    float const sum = std::accumulate(priors + root.num_children, priors + root.num_edges, 0.0f);
    for (int i = root.num_children; i < root.num_edges; ++i)
      outcome.policy[arena_.actions(root)[i]] =
          sum > 0 ? priors[i] / sum : 1.0f / static_cast<float>(root.num_edges - root.num_children);
    outcome.action = arena_.actions(root)[root.num_children];
  }

  /// Which of the root's `n` children to play: the one of greatest weight, or one drawn by
  /// weight^(1 / temperature).
  int choose_move(float const* weights, int n) const {
    int const most = static_cast<int>(std::max_element(weights, weights + n) - weights);
    float const chosen =
        ply_ < settings_.temperature_plies ? settings_.temperature : settings_.final_temperature;
    if (chosen == 0) return squares_ ? surest_move(weights, n, weights[most]) : most;
    std::array<double, G::num_actions> scaled;
    double total = 0;
    for (int i = 0; i < n; ++i) {
      scaled[i] = double{weights[i]} / weights[most];
      if (chosen != 1) scaled[i] = std::pow(scaled[i], 1.0 / chosen);
      total += scaled[i];
    }
    random_stream random{move_key().split(purpose::move)};
    double rest = random.uniform() * total;
    for (int i = 0; i < n; ++i)
      if ((rest -= scaled[i]) < 0) return i;
    return most;
  }

  /// The child of greatest lower bound among those with weight enough.
  int surest_move(float const* weights, int n, float most) const {
    sum_squares(arena_, squares_.get());
    float best = -std::numeric_limits<float>::infinity();
    int place = 0;
    for (int i = 0; i < n; ++i) {
      if (weights[i] == 0 || weights[i] < settings_.lower_bound_visits * most) continue;
      std::uint32_t const child = arena_.child(arena_[0])[i];
      float const visits = visits_of(i);
      float const bound = lower_bound(visits, -arena_[child].value_sum / visits, squares_[child],
                                      settings_.lower_bound_errors);
      if (bound > best) best = bound, place = i;
    }
    return place;
  }

  puct settings_;
  node_arena arena_;
  std::unique_ptr<std::uint32_t[]> wave_;  // (leaves), nodes in flight in the order they were selected
  std::unique_ptr<float[]> squares_;       // (max_nodes), if there is a lower bound: of each node's values
  int wave_size_ = 0;                      // leaves selected
  int pushed_ = 0;                         // of these, pushed as rows
  int absorbed_ = 0;                       // of these, answered
  int descents_ = 0;                       // simulations begun since the last move
  int wanted_ = 0;                         // simulations this move takes
  int ply_ = 0;
  std::uint32_t searched_for_proofs_ = 1;  // nodes before this one have been
  bool plain_ = settings_.exploration_growth == 0 && settings_.fpu == first_play::parent;
  bool root_ready_ = false;
  random_key episode_;
};

}  // namespace batchmate
