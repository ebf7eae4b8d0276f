#pragma once

#include <batchmate/search/concepts.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/proof.hpp>
#include <batchmate/search/puct_options.hpp>
#include <batchmate/search/root_average.hpp>
#include <batchmate/search/root_noise.hpp>
#include <batchmate/search/root_target.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
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
        squares_(settings_.lower_bound_errors > 0 ? std::make_unique<float[]>(arena_.capacity()) : nullptr),
        average_(settings_.root_symmetries) {}

  void start(random_key episode, int ply) {
    episode_ = episode;
    ply_ = ply;
    arena_.clear();
    begin_move();
  }

  void collect(G const& root, row_range<G>& out) {
    if (average_.waiting()) return average_.collect(root, out, settings_.leaves);
    if (pushed_ == wave_size_)
      select_wave(root, out);
    else
      for (; pushed_ < wave_size_ && !out.full(); ++pushed_) {
        replay(wave_[pushed_], root, out.next());
        out.push();
      }
  }

  void absorb(batch<G> const& mine) {
    if (average_.waiting()) return absorb_average(mine);
    for (int i = 0; i < mine.count; ++i) {
      std::uint32_t const leaf = wave_[absorbed_++];
      tree_node& n = arena_[leaf];
      arena_.add_edges(n, mine.rows[i].legal.count());
      // Not memcpy, for which g++ has a string instruction that is slower than the library's function.
      std::copy_n(mine.priors_of(i), n.num_edges, arena_.priors(n));
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
    outcome.full = full_;
    outcome.resign = outcome.value < settings_.resign_below;
    std::array<float, G::num_actions> weights;  // of the root's children
    float const total = weigh_moves(weights.data());
    for (int i = 0; i < root.num_children && total > 0; ++i) outcome.policy[actions[i]] = weights[i] / total;
    if (total > 0)
      outcome.action = actions[choose_move(weights.data(), root.num_children)];
    else
      choose_unvisited(outcome);
    surprise_sum surprise;
    for (int i = 0; i < root.num_edges; ++i) surprise.add(outcome.policy[actions[i]], network_prior(i));
    outcome.surprise = surprise.total();
  }

  void advance(int action) {
    tree_node const& root = arena_[0];
    std::uint32_t next = 0;
    if (settings_.reuse_tree)
      for (int i = 0; i < root.num_children; ++i)
        if (arena_.actions(root)[i] == action) next = arena_.child(root)[i];
    if (next != 0 && arena_[next].num_edges > 0) {
      arena_.keep_subtree(next);
      if (arena_[0].state != node_state::evaluated) sort_unvisited<G::num_actions>(arena_, arena_[0]);
    } else {
      arena_.clear();
    }
    ++ply_;
    begin_move();
  }

  /// The nodes, for people who look at a finished search; node 0 is the root.
  node_arena const& nodes() const { return arena_; }

 private:
  void begin_move() {
    wave_size_ = pushed_ = absorbed_ = descents_ = 0;
    root_ready_ = priors_changed_ = false;
    random_stream chance{move_key().split(purpose::move).split(purpose::sampling)};
    full_ = settings_.full_share == 1 || chance.uniform() < settings_.full_share;
    searched_for_proofs_ = arena_.size();
    tree_node const& root = arena_[0];
    wanted_ = full_ ? settings_.simulations : settings_.cheap_simulations;
    if (root.state != node_state::pending) wanted_ -= static_cast<int>(root.visits) - 1;
    average_.begin(move_key().split(purpose::symmetry), full_ && wanted_ > 0 && !is_proven(root.state));
  }

  /// Gives the root the mean over the symmetries, in place of what it had if it was a node before.
  [[gnu::noinline]] void absorb_average(batch<G> const& mine) {
    if (!average_.absorb(mine)) return;
    tree_node& at = arena_[0];
    if (at.state == node_state::pending) {
      arena_.add_edges(at, average_.answer().rows->legal.count());
      at.state = node_state::evaluated;
      at.visits = 1;
    }
    float const value = *average_.answer().values;
    at.value_sum += value - at.own_value;
    at.own_value = value;
    bool const sorted = at.state == node_state::sorted;
    for (int i = 0; i < at.num_edges; ++i)
      arena_.priors(at)[i] = sorted ? average_.prior_of(arena_.actions(at)[i]) : average_.answer().priors[i];
    if (sorted) put_in_order(at);
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
      int const forced = n == 0 && settings_.forced_playouts > 0 ? forced_child() : -1;
      int const place = forced >= 0 ? forced : select(at);
      position.play(arena_.actions(at)[place]);
      if (place < at.num_children) {
        n = arena_.child(at)[place];
        continue;
      }
      n = arena_.add_child(n);
      if (at.num_children == sorted_at_first) sort_unvisited<G::num_actions>(arena_, at);
      if (auto const result = checked_result(position)) {
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
      float const mean = at.value_sum / static_cast<float>(at.visits);
      return settings_.unvisited_value(mean, seen, full_ && &at == &arena_[0]);
    });
  }

  /// The first of the root's children that has not had its forced visits, -1 if there is none.
  [[gnu::noinline]] int forced_child() const {
    tree_node const& root = arena_[0];
    for (int i = 0; i < root.num_children && full_; ++i) {
      float const enough = forced_visits(arena_.priors(root)[i], static_cast<float>(root.visits - 1),
                                         settings_.forced_playouts);
      if (visits_of(i) < enough && arena_[arena_.child(root)[i]].state != node_state::won) return i;
    }
    return -1;
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

  /// Puts an evaluated node's first edges in order: greater priors first, then smaller actions.
  void sort_edges(tree_node& at, G const& position) {
    std::uint16_t* const actions = arena_.actions(at);
    int k = 0;
    position.legal_actions().for_each([&](int a) { actions[k++] = static_cast<std::uint16_t>(a); });
    at.state = node_state::sorted;
    sort_first_by_prior<G::num_actions>(arena_.priors(at), actions, at.num_edges);
  }

  /// Sorts the root's edges and mixes noise into its priors, once a move.
  void prepare_root(G const& root) {
    root_ready_ = true;
    tree_node& at = arena_[0];
    if (at.state == node_state::evaluated) sort_edges(at, root), sort_unvisited<G::num_actions>(arena_, at);
    bool const noisy = settings_.noise_fraction > 0;
    if (!full_ || (!noisy && settings_.root_temperature == 1)) return;
    float* const priors = arena_.priors(at);
    std::uint16_t* const actions = arena_.actions(at);
    for (int i = 0; i < at.num_edges; ++i) network_priors_[actions[i]] = priors[i];
    priors_changed_ = true;
    prepare_priors<G::num_actions>(priors, actions, at.num_edges, settings_, noisy,
                                   move_key().split(purpose::noise));
    put_in_order(at);
  }

  /// Brings the root up to date with priors that have changed. The visited children stay in front: they are all
  /// looked at anyway.
  void put_in_order(tree_node& at) {
    sort_unvisited<G::num_actions>(arena_, at);
    for (int i = 0; i < at.num_children; ++i) {
      tree_node const& child = arena_[arena_.child(at)[i]];
      if (child.state != node_state::won) arena_.refresh(child);
    }
  }

  random_key move_key() const { return episode_.split(static_cast<std::uint64_t>(ply_)); }

  float visits_of(int i) const { return static_cast<float>(arena_[arena_.child(arena_[0])[i]].visits); }
  float network_prior(int i) const {
    return priors_changed_ ? network_priors_[arena_.actions(arena_[0])[i]] : arena_.priors(arena_[0])[i];
  }

  /// The weights by which the root's children are targets and are played; returns their sum.
  float weigh_moves(float* weights) const {
    for (int i = 0; i < arena_[0].num_children; ++i) weights[i] = visits_of(i);
    tree_node const& root = arena_[0];
    float sum = static_cast<float>(root.visits - 1);
    if (settings_.prove) sum = weigh_proofs(arena_, weights);
    if (settings_.forced_playouts == 0 || !full_ || is_proven(root.state) || sum == 0) return sum;
    float const scale = settings_.exploration_at(root.visits) * std::sqrt(static_cast<float>(root.visits));
    return prune_forced(arena_.priors(root), arena_.q(root), weights, root.num_children, scale,
                        static_cast<float>(root.visits - 1), settings_.forced_playouts);
  }

  /// All visited moves are proven to lose: the target is the network's policy for the others.
  void choose_unvisited(decision<G>& outcome) const {
    tree_node const& root = arena_[0];
    float sum = 0;
    for (int i = root.num_children; i < root.num_edges; ++i) sum += network_prior(i);
    for (int i = root.num_children; i < root.num_edges; ++i)
      outcome.policy[arena_.actions(root)[i]] =
          sum > 0 ? network_prior(i) / sum : 1.0f / static_cast<float>(root.num_edges - root.num_children);
    outcome.action = arena_.actions(root)[root.num_children];
  }

  /// Which of the root's `n` children to play: the one of greatest weight, or one drawn by
  /// weight^(1 / temperature).
  int choose_move(float const* weights, int n) const {
    int const most = static_cast<int>(std::max_element(weights, weights + n) - weights);
    float const chosen =
        ply_ < settings_.temperature_plies ? settings_.temperature : settings_.final_temperature;
    if (chosen == 0) return squares_ ? surest_move(weights, n, weights[most]) : most;
    return draw_move<G::num_actions>(weights, n, most, chosen, move_key().split(purpose::move));
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
  root_average<G> average_;                // of the root's evaluations, if there are several
  int wave_size_ = 0;                      // leaves selected
  int pushed_ = 0;                         // of these, pushed as rows
  int absorbed_ = 0;                       // of these, answered
  int descents_ = 0;                       // simulations begun since the last move
  int wanted_ = 0;                         // simulations this move takes
  int ply_ = 0;
  std::uint32_t searched_for_proofs_ = 1;  // nodes before this one have been
  bool plain_ = settings_.has_plain_bounds();
  bool root_ready_ = false;
  bool full_ = true;                                  // this move's search is not a cheap one
  bool priors_changed_ = false;                       // the root's are no longer the network's
  std::array<float, G::num_actions> network_priors_;  // by action; the root's, if they have been changed
  random_key episode_;
};

}  // namespace batchmate
