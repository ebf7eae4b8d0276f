#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/node_arena.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

namespace batchmate {

/// AlphaZero's search (Silver et al., Science 362, 2018): every simulation goes down the edges of greatest
///
///     Q(s, a) + exploration * P(s, a) * sqrt(N(s)) / (1 + N(s, a)),
///
/// N(s) counting the node's own evaluation, ties going to the greater prior, then to the smaller action. The
/// training target is the share of visits of each root move.
struct puct {
  int simulations = 400;     ///< visits of the root's children before a move is made, reused ones included
  float exploration = 1.5f;  ///< c_puct
  float fpu_reduction = 0;   ///< an unvisited move has its parent's mean value less this, not below -1
  float noise_fraction = 0.25f;  ///< share of Dirichlet noise in the root's priors; 0 for none
  float noise_alpha = 0;         ///< its concentration; 0 chooses 10 / legal moves
  float temperature =
      1;  ///< of the move choice in the first plies: visits^(1 / temperature); 0 takes the most
  int temperature_plies = 20;   ///< how many plies these are
  float final_temperature = 0;  ///< of the plies after them
  bool reuse_tree = true;       ///< keep the subtree of the move played
  int leaves = 1;               ///< leaves in flight; more fill batches with fewer games but change the games
  int virtual_loss = 1;         ///< lost visits a leaf counts as while it is in flight; none if leaves is 1

  /// One game's tree: `select` finds a leaf, `absorb` expands it and backs its value up.
  template <game G>
  class tree;

  int max_rows() const { return leaves; }

  /// The most nodes a tree can hold: the root and one a simulation.
  int max_nodes() const { return simulations + 1; }

  template <game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>) + node_arena::bytes(max_nodes(), G::num_actions) +
           4 * static_cast<std::size_t>(leaves);
  }

  std::string identity() const {
    return concat("puct simulations=", simulations, " exploration=", exploration,
                  " fpu_reduction=", fpu_reduction, " noise=", noise_fraction, "/", noise_alpha,
                  " temperature=", temperature, "/", temperature_plies, "/", final_temperature,
                  " reuse=", reuse_tree, " leaves=", leaves, "/", virtual_loss);
  }

  /// Throws `contract_error` for a field out of range.
  void check() const {
    expects(simulations > 0, "puct: simulations must be positive, got ", simulations);
    expects(leaves > 0 && leaves <= 1024, "puct: leaves must be 1 to 1024, got ", leaves);
    expects(virtual_loss > 0, "puct: virtual_loss must be positive, got ", virtual_loss);
    expects(exploration >= 0 && std::isfinite(exploration), "puct: exploration must not be negative, got ",
            exploration);
    expects(noise_fraction >= 0 && noise_fraction <= 1, "puct: noise_fraction must be 0 to 1, got ",
            noise_fraction);
    expects(noise_alpha >= 0, "puct: noise_alpha must not be negative, got ", noise_alpha);
    expects(temperature >= 0 && final_temperature >= 0, "puct: temperatures must not be negative");
  }
};

template <game G>
class puct::tree {
 public:
  explicit tree(puct const& settings)
      : settings_((settings.check(), settings)),
        arena_(settings_.max_nodes(), G::num_actions),
        wave_(std::make_unique<std::uint32_t[]>(static_cast<std::size_t>(settings_.leaves))) {}

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
      n.state = node_state::evaluated;
      back_up(leaf, mine.values[i], settings_.leaves > 1 ? settings_.virtual_loss : 0);
    }
    if (absorbed_ == wave_size_) absorbed_ = pushed_ = wave_size_ = 0;
  }

  bool done() const {
    return wave_size_ == 0 && arena_[0].state != node_state::pending && descents_ >= wanted_;
  }

  void decide(decision<G>& outcome) const {
    tree_node const& root = arena_[0];
    outcome.value = std::clamp(root.value_sum / static_cast<float>(root.visits), -1.0f, 1.0f);
    outcome.simulations = descents_;
    outcome.policy = {};
    float const total = static_cast<float>(root.visits - 1);
    for (int i = 0; i < root.num_children; ++i)
      outcome.policy[arena_.actions(root)[i]] = visits_of(i) / total;
    outcome.action = arena_.actions(root)[choose_move()];
  }

  void advance(int action) {
    tree_node const& root = arena_[0];
    std::uint32_t next = 0;
    if (settings_.reuse_tree)
      for (int i = 0; i < root.num_children; ++i)
        if (arena_.actions(root)[i] == action) next = arena_.child(root)[i];
    if (next != 0 && arena_[next].state != node_state::terminal)
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
    while (wave_size_ < settings_.leaves && descents_ < wanted_) {
      G elsewhere;
      bool const room = !out.full() && pushed_ == wave_size_;
      G& position = room ? out.next() : elsewhere;
      position = root;
      auto const [leaf, fresh] = descend(position);
      if (!fresh && arena_[leaf].state == node_state::pending) break;  // the wave met one of its own leaves
      ++descents_;
      if (arena_[leaf].state == node_state::terminal) {
        back_up(leaf, *position.result(), 0);
        continue;
      }
      wave_[wave_size_++] = leaf;
      if (settings_.leaves > 1) add_virtual_loss(leaf);
      if (!room) continue;
      out.push();
      ++pushed_;
    }
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
      if (position.result()) arena_[n].state = node_state::terminal;
      return {n, true};
    }
  }

  /// The edge of greatest upper confidence bound: a visited one or the first unvisited.
  BATCHMATE_INLINE int select(tree_node const& at) {
    float const scale = settings_.exploration * std::sqrt(static_cast<float>(at.visits));
    std::array<float, (G::num_actions + 7) / 8 * 8> scores;  // of the children
    float best = -1e30f;
    int place = 0;
    if (at.num_children > 0) {
      best = greatest_score(arena_.q(at), arena_.u(at), scale, at.num_children, scores.data());
      // A branch that can be guessed lets the processor go on with its guess, unlike arithmetic for the place.
      while (scores[place] != best) ++place;
    }
    if (at.num_children == at.num_edges) return place;
    float const mean = at.value_sum / static_cast<float>(at.visits);
    float const unknown = std::max(mean - settings_.fpu_reduction, -1.0f);
    return unknown + scale * arena_.priors(at)[at.num_children] > best ? at.num_children : place;
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
    float* const priors = arena_.priors(at);
    std::uint16_t* const actions = arena_.actions(at);
    int k = 0;
    position.legal_actions().for_each([&](int a) { actions[k++] = static_cast<std::uint16_t>(a); });
    at.state = node_state::sorted;
    sort_range(priors, actions, at.num_edges);
  }

  static void sort_range(float* priors, std::uint16_t* actions, int n) {
    bool unsorted = false;
    for (int i = 1; i < n; ++i) unsorted |= priors[i - 1] < priors[i];
    if (!unsorted) return;
    // A prior is not negative, so its bits order as it does; their complement puts the greatest first.
    std::array<std::uint64_t, std::max(G::num_actions, 32)> keys;  // g++ 12 warns of std::sort on fewer
    for (int i = 0; i < n; ++i)
      keys[i] = static_cast<std::uint64_t>(~std::bit_cast<std::uint32_t>(std::max(0.0f, priors[i]))) << 32 |
                actions[i];
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
    if (settings_.noise_fraction == 0) return;
    add_noise(at);
    // The visited children stay in front, whatever the noise did to their priors: they are all looked at
    // anyway.
    sort_range(arena_.priors(at) + at.num_children, arena_.actions(at) + at.num_children,
               at.num_edges - at.num_children);
    for (int i = 0; i < at.num_children; ++i) arena_.refresh(arena_[arena_.child(at)[i]]);
  }

  void add_noise(tree_node& at) {
    random_stream random{episode_.split(static_cast<std::uint64_t>(ply_)).split(purpose::noise)};
    double const alpha = settings_.noise_alpha > 0 ? settings_.noise_alpha : 10.0 / at.num_edges;
    std::array<double, G::num_actions> noise{};  // by action, so that the tree's past does not matter
    actions_of<G> legal;
    for (int i = 0; i < at.num_edges; ++i) legal.set(arena_.actions(at)[i]);
    double sum = 0;
    legal.for_each([&](int a) { sum += noise[a] = random.gamma(alpha); });
    float const share = settings_.noise_fraction;
    for (int i = 0; i < at.num_edges && sum > 0; ++i) {
      float& prior = arena_.priors(at)[i];
      prior = (1 - share) * prior + share * static_cast<float>(noise[arena_.actions(at)[i]] / sum);
    }
  }

  float visits_of(int i) const { return static_cast<float>(arena_[arena_.child(arena_[0])[i]].visits); }

  /// The root's child to play: the most visited, or one drawn by visits^(1 / temperature).
  int choose_move() const {
    float const chosen =
        ply_ < settings_.temperature_plies ? settings_.temperature : settings_.final_temperature;
    int const n = arena_[0].num_children;
    int most = 0;
    for (int i = 1; i < n; ++i)
      if (visits_of(i) > visits_of(most)) most = i;
    if (chosen == 0) return most;
    auto const weight = [&](int i) { return std::pow(double{visits_of(i)} / visits_of(most), 1.0 / chosen); };
    double total = 0;
    for (int i = 0; i < n; ++i) total += weight(i);
    random_stream random{episode_.split(static_cast<std::uint64_t>(ply_)).split(purpose::move)};
    double rest = random.uniform() * total;
    for (int i = 0; i < n; ++i)
      if ((rest -= weight(i)) < 0) return i;
    return most;
  }

  puct settings_;
  node_arena arena_;
  std::unique_ptr<std::uint32_t[]> wave_;  // (leaves), nodes in flight in the order they were selected
  int wave_size_ = 0;                      // leaves selected
  int pushed_ = 0;                         // of these, pushed as rows
  int absorbed_ = 0;                       // of these, answered
  int descents_ = 0;                       // simulations begun since the last move
  int wanted_ = 0;                         // simulations this move takes
  int ply_ = 0;
  bool root_ready_ = false;
  random_key episode_;
};

}  // namespace batchmate
