#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/macros.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace batchmate {

/// How far the search has come with a node.
enum class node_state : std::uint8_t {
  pending,    ///< its evaluation is under way
  evaluated,  ///< priors are there, in the order of the legal actions; nobody has gone through it
  sorted,     ///< priors are sorted as far as the search needs them, actions are known
  terminal,   ///< the game has ended here, and nothing is made of it
  won,        ///< best play from here is proven to win for the player to move
  drawn,      ///< it is proven to draw
  lost        ///< it is proven to lose
};

/// The most simulations of a search: a sum of so many values in fp32 is off by less than 0.002 a value, one of eight times as
/// many by more than 0.01.
inline constexpr int max_simulations = 1 << 17;

/// One position of a tree; the position itself is not stored.
struct tree_node {
  std::uint32_t parent;      ///< index of the parent; the root is its own
  std::uint32_t first_edge;  ///< of its `num_edges` edges
  std::uint32_t children;    ///< of its `num_children` visited children in the child arrays
  std::uint32_t visits;      ///< simulations that came here, its own evaluation included
  float value_sum;           ///< sum of their values for the player to move here
  float own_value;           ///< the network's value of this position, or the game's result if it has ended
  std::uint16_t num_edges;
  std::uint16_t num_children;  ///< the visited edges are the first `num_children`
  std::uint16_t place;         ///< which child of its parent it is
  std::uint8_t capacity_log;   ///< 2^capacity_log children fit where they are
  node_state state;
};

/// The nodes of one tree in arrays of fixed size, allocated once. Pages that were never used cost no memory.
///
///     nodes    (max_nodes)               parents come before their children
///     edges    (max_nodes * actions)     prior and action of every legal move, a block a node, greatest priors first
///     children (8 * max_nodes)           q, u and index of the visited ones, a block a node that doubles as it grows
///
/// A node's visited children are always its first edges, so that selection looks at these and one more.
class node_arena {
 public:
  node_arena(int max_nodes, int num_actions)
      : max_nodes_((check(max_nodes, num_actions), static_cast<std::uint32_t>(max_nodes))),
        nodes_(std::make_unique_for_overwrite<tree_node[]>(max_nodes_)),
        priors_(std::make_unique_for_overwrite<float[]>(edges(max_nodes, num_actions))),
        actions_(std::make_unique_for_overwrite<std::uint16_t[]>(edges(max_nodes, num_actions))),
        q_(std::make_unique_for_overwrite<float[]>(8 * std::size_t{max_nodes_})),
        u_(std::make_unique_for_overwrite<float[]>(8 * std::size_t{max_nodes_})),
        child_(std::make_unique_for_overwrite<std::uint32_t[]>(8 * std::size_t{max_nodes_})) {
    clear();
  }

  /// What an arena of this size allocates.
  static std::size_t bytes(int max_nodes, int num_actions) {
    return static_cast<std::size_t>(max_nodes) * (sizeof(tree_node) + 96) + edges(max_nodes, num_actions) * 6;
  }

  /// Leaves a single root that awaits its evaluation.
  void clear() {
    num_edges_ = num_children_ = 0;
    nodes_[0] = {};
    num_nodes_ = 1;
  }

  /// The most nodes it holds.
  std::uint32_t capacity() const { return max_nodes_; }
  /// Nodes in the tree.
  std::uint32_t size() const { return num_nodes_; }
  tree_node& operator[](std::uint32_t n) { return nodes_[n]; }
  tree_node const& operator[](std::uint32_t n) const { return nodes_[n]; }

  float* priors(tree_node const& n) { return priors_.get() + n.first_edge; }              ///< (num_edges)
  float const* priors(tree_node const& n) const { return priors_.get() + n.first_edge; }  ///< (num_edges)
  std::uint16_t* actions(tree_node const& n) { return actions_.get() + n.first_edge; }    ///< (num_edges)
  std::uint16_t const* actions(tree_node const& n) const { return actions_.get() + n.first_edge; }
  float* q(tree_node const& n) { return q_.get() + n.children; }  ///< (num_children)
  float const* q(tree_node const& n) const { return q_.get() + n.children; }
  float* u(tree_node const& n) { return u_.get() + n.children; }  ///< (num_children)
  float const* u(tree_node const& n) const { return u_.get() + n.children; }
  std::uint32_t* child(tree_node const& n) { return child_.get() + n.children; }  ///< (num_children)
  std::uint32_t const* child(tree_node const& n) const {
    return child_.get() + n.children;
  }  ///< (num_children)

  /// Gives a node its block of edges; nodes must get theirs in the order they were added.
  void add_edges(tree_node& n, int count) {
    n.first_edge = num_edges_;
    n.num_edges = static_cast<std::uint16_t>(count);
    num_edges_ += static_cast<std::uint32_t>(count);
  }

  /// Adds the next child of a node, pending and without visits.
  BATCHMATE_INLINE std::uint32_t add_child(std::uint32_t parent) {
    tree_node& p = nodes_[parent];
    if (p.num_children == 0)
      reserve_children(p, 3);
    else if (p.num_children == 1u << p.capacity_log)
      grow_children(p);
    std::uint32_t const n = num_nodes_++;
    nodes_[n] = {parent, 0, 0, 0, 0, 0, 0, 0, p.num_children, 0, node_state::pending};
    child_[p.children + p.num_children++] = n;
    return n;
  }

  /// Brings q and u of a node, as its parent sees them, up to date: q is the mean value for the parent's
  /// player, u is prior / (1 + visits).
  BATCHMATE_INLINE void refresh(tree_node const& n) {
    tree_node const& p = nodes_[n.parent];
    q_[p.children + n.place] = -n.value_sum / static_cast<float>(n.visits);
    u_[p.children + n.place] = priors_[p.first_edge + n.place] / static_cast<float>(1 + n.visits);
  }

  /// Keeps selection from choosing a node.
  void exclude(tree_node const& n) {
    std::uint32_t const slot = nodes_[n.parent].children + n.place;
    q_[slot] = -1e30f;
    u_[slot] = 0;
  }

  /// Makes a child of the root the new root and forgets everything that is not below it. Nothing may be pending.
  void keep_subtree(std::uint32_t new_root) {
    // Nodes and edges lie in the order of creation, so the survivors slide down in one pass. The child arrays
    // are rebuilt afterwards and serve as the map from old to new indices until then.
    std::uint32_t* const moved = child_.get();  // (size), 0 where dropped
    std::uint32_t const before = num_nodes_;
    std::fill_n(moved, before, 0u);
    num_nodes_ = 0;
    num_edges_ = 0;
    for (std::uint32_t n = new_root; n < before; ++n) {
      tree_node node = nodes_[n];
      if (n != new_root && moved[node.parent] == 0) continue;
      node.parent = n == new_root ? 0 : moved[node.parent] - 1;
      std::uint32_t const from = node.first_edge;
      if (node.num_edges > 0) {
        add_edges(node, node.num_edges);
        std::copy_n(priors_.get() + from, node.num_edges, priors_.get() + node.first_edge);
        std::copy_n(actions_.get() + from, node.num_edges, actions_.get() + node.first_edge);
      }
      nodes_[num_nodes_++] = node;
      moved[n] = num_nodes_;
    }
    nodes_[0].place = 0;
    rebuild_children();
  }

 private:
  static void check(int max_nodes, int num_actions) {
    expects(edges(max_nodes, num_actions) >> 32 == 0, "search: ", max_nodes, " nodes of ", num_actions,
            " actions are too many: there is room for 4294967295 edges");
  }
  static std::size_t edges(int max_nodes, int num_actions) {
    return static_cast<std::size_t>(max_nodes) * static_cast<std::size_t>(num_actions);
  }

  void reserve_children(tree_node& p, int capacity_log) {
    p.capacity_log = static_cast<std::uint8_t>(capacity_log);
    p.children = num_children_;
    num_children_ += 1u << capacity_log;
    std::fill_n(q_.get() + p.children, 1u << capacity_log, -1e30f);
    std::fill_n(u_.get() + p.children, 1u << capacity_log, 0.0f);
  }

  void grow_children(tree_node& p) {
    std::uint32_t const from = p.children;
    reserve_children(p, p.capacity_log + 1);
    std::copy_n(q_.get() + from, p.num_children, q_.get() + p.children);
    std::copy_n(u_.get() + from, p.num_children, u_.get() + p.children);
    std::copy_n(child_.get() + from, p.num_children, child_.get() + p.children);
  }

  void rebuild_children() {
    num_children_ = 0;
    for (std::uint32_t n = 0; n < num_nodes_; ++n)
      if (nodes_[n].num_children > 0)
        reserve_children(nodes_[n], std::max<int>(3, std::bit_width(nodes_[n].num_children - 1u)));
    for (std::uint32_t n = 1; n < num_nodes_; ++n) {
      child_[nodes_[nodes_[n].parent].children + nodes_[n].place] = n;
      if (nodes_[n].state == node_state::won)
        exclude(nodes_[n]);
      else
        refresh(nodes_[n]);
    }
  }

  std::uint32_t max_nodes_, num_nodes_ = 0, num_edges_ = 0, num_children_ = 0;
  std::unique_ptr<tree_node[]> nodes_;        // (max_nodes)
  std::unique_ptr<float[]> priors_;           // (max_nodes * actions)
  std::unique_ptr<std::uint16_t[]> actions_;  // (max_nodes * actions)
  std::unique_ptr<float[]> q_, u_;            // (8 * max_nodes)
  std::unique_ptr<std::uint32_t[]> child_;    // (8 * max_nodes)
};

/// Writes q + scale * u of the first `count` children, and up to 7 more, to `scores`; returns the greatest. The arrays
/// are padded as the arena does it.
BATCHMATE_INLINE float greatest_score(float const* q, float const* u, float scale, int count, float* scores) {
  using four = float __attribute__((vector_size(16)));
  four best[2] = {{-1e30f, -1e30f, -1e30f, -1e30f}, {-1e30f, -1e30f, -1e30f, -1e30f}};
  for (int i = 0; i < count; i += 8)
    for (int half = 0; half < 2; ++half) {
      four q4, u4;
      std::memcpy(&q4, q + i + 4 * half, sizeof q4);
      std::memcpy(&u4, u + i + 4 * half, sizeof u4);
      four const score = q4 + scale * u4;
      std::memcpy(scores + i + 4 * half, &score, sizeof score);
      best[half] = score > best[half] ? score : best[half];
    }
  four const most = best[0] > best[1] ? best[0] : best[1];
  return std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
}

/// What a move is sorted by, least first, and may be put back from: a greater prior comes first, then what was before.
struct edge_key {
  std::uint64_t bits;

  edge_key() = default;  // arrays of keys are not written twice
  edge_key(float prior, int place, std::uint16_t action)
      // A prior is not negative, so its bits order as it does; their complement puts the greatest first.
      : bits(std::uint64_t{~std::bit_cast<std::uint32_t>(std::max(0.0f, prior))} << 32 |
             static_cast<std::uint64_t>(place) << 16 | action) {}

  /// What it was made of.
  float prior() const { return std::bit_cast<float>(~static_cast<std::uint32_t>(bits >> 32)); }
  /// What it was made of.
  std::uint16_t action() const { return static_cast<std::uint16_t>(bits); }
  friend bool operator<(edge_key a, edge_key b) { return a.bits < b.bits; }
};

/// Whether greater priors come first.
inline bool are_sorted(float const* priors, int n) {
  bool unsorted = false;
  for (int i = 1; i < n; ++i) unsorted |= priors[i - 1] < priors[i];
  return !unsorted;
}

/// Puts the moves of a node, at most A, in order: greater priors first, then those that were before.
template <int A>
void sort_by_prior(float* priors, std::uint16_t* actions, int n) {
  if (are_sorted(priors, n)) return;
  std::array<edge_key, std::max(A, 32)> keys;  // g++ 12 warns of std::sort on fewer
  for (int i = 0; i < n; ++i) keys[i] = {priors[i], i, actions[i]};
  std::sort(keys.begin(), keys.begin() + n);
  for (int i = 0; i < n; ++i) {
    priors[i] = keys[i].prior();
    actions[i] = keys[i].action();
  }
}

/// Edges of a node that are put in order when it is first gone through. The others follow when these have all been
/// visited, which is seldom, or when it becomes the root.
inline constexpr int sorted_at_first = 8;

/// Puts the first `sorted_at_first` of more moves in their places; the others follow in the order they had.
template <int A>
[[gnu::noinline]] void select_firsts(float* priors, std::uint16_t* actions, int n) {
  std::array<edge_key, std::max(A, sorted_at_first)> keys;
  // In order. A key that is behind all of them, as most are, is left out at once.
  std::array<edge_key, sorted_at_first> firsts;
  for (int i = 0; i < n; ++i) {
    edge_key const key = keys[i] = {priors[i], i, actions[i]};
    if (i >= sorted_at_first && !(key < firsts.back())) continue;
    int at = std::min(i, sorted_at_first - 1);
    for (; at > 0 && key < firsts[at - 1]; --at) firsts[at] = firsts[at - 1];
    firsts[at] = key;
  }
  int place = 0;
  auto const put = [&](edge_key key) {
    priors[place] = key.prior();
    actions[place] = key.action();
  };
  for (; place < sorted_at_first; ++place) put(firsts[place]);
  for (int i = 0; place < n; ++i) {
    put(keys[i]);  // the next one overwrites it, unless it is one of the others
    place += firsts.back() < keys[i];
  }
}

/// `select_firsts` where that is needed, `sort_by_prior` where there are no more.
template <int A>
void sort_first_by_prior(float* priors, std::uint16_t* actions, int n) {
  if (n <= sorted_at_first)
    sort_by_prior<A>(priors, actions, n);
  else if (!are_sorted(priors, n))
    select_firsts<A>(priors, actions, n);
}

/// Puts those edges of a node in order that have not been visited.
template <int A>
[[gnu::noinline]] void sort_unvisited(node_arena& arena, tree_node const& n) {
  int const visited = n.num_children;
  sort_by_prior<A>(arena.priors(n) + visited, arena.actions(n) + visited, n.num_edges - visited);
}

}  // namespace batchmate
