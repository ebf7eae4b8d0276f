#pragma once

#include <batchmate/game/concepts.hpp>
#include <batchmate/search/node_arena.hpp>

#include <cstdint>

namespace batchmate {

/// Whether the result of best play is known.
inline bool is_proven(node_state state) { return state > node_state::terminal; }

/// What a node of a finished game or proven is worth to its player to move.
inline float final_value(tree_node const& at) {
  if (at.state == node_state::terminal) return at.own_value;
  return at.state == node_state::won ? win : at.state == node_state::lost ? loss : draw;
}

/// What a node whose children are `children` is, when one of them has been proven: `sorted` as long as that
/// decides nothing.
inline node_state conclude(node_arena const& tree, tree_node const& at) {
  bool open = at.num_children < at.num_edges, drawn = false;
  for (int i = 0; i < at.num_children; ++i) {
    node_state const child = tree[tree.child(at)[i]].state;
    if (child == node_state::lost) return node_state::won;
    open |= !is_proven(child);
    drawn |= child == node_state::drawn;
  }
  return open ? node_state::sorted : drawn ? node_state::drawn : node_state::lost;
}

/// Lets all simulations that went through a node just proven have been worth what it is worth.
inline void settle(node_arena& tree, std::uint32_t n) {
  float const worth = final_value(tree[n]) * static_cast<float>(tree[n].visits);
  float change = worth - tree[n].value_sum;
  tree[n].value_sum = worth;
  while (n != 0) {
    tree.refresh(tree[n]);
    n = tree[n].parent;
    if (is_proven(tree[n].state)) return;
    tree[n].value_sum += change = -change;
  }
}

/// Carries a win, draw or loss by the rules up the tree as far as it proves something: one lost child proves a win,
/// children that are all proven prove the best of them (Winands, Björnsson and Saito, MCTS-Solver, CG 2008).
/// The values of proven nodes replace those of the simulations that went through them, as Leela Chess Zero has it,
/// and selection passes moves by that are proven to lose. Games that end with another result prove nothing.
/// Nothing may be in flight.
inline void prove_upwards(node_arena& tree, std::uint32_t n) {
  float const result = tree[n].own_value;
  if (tree[n].state != node_state::terminal || (result != win && result != draw && result != loss)) return;
  tree[n].state = result == win ? node_state::won : result == loss ? node_state::lost : node_state::drawn;
  while (n != 0) {
    if (tree[n].state == node_state::won) tree.exclude(tree[n]);
    n = tree[n].parent;
    if (is_proven(tree[n].state)) return;
    tree[n].state = conclude(tree, tree[n]);
    if (!is_proven(tree[n].state)) return;
    settle(tree, n);
  }
}

/// Takes the weight of root moves that are proven to be worse than others: beside a win everything, of the rest the
/// losses, unless nothing else is left. Returns the sum of the weights; 0 if only unvisited moves may not lose.
inline float weigh_proofs(node_arena const& tree, float* weights) {
  tree_node const& root = tree[0];
  float sum = 0;
  for (int i = 0; i < root.num_children; ++i) {
    node_state const child = tree[tree.child(root)[i]].state;
    bool kept = child != node_state::won || root.state == node_state::lost;
    if (root.state == node_state::won) kept = child == node_state::lost;
    if (root.state == node_state::drawn) kept = child == node_state::drawn;
    if (!kept) weights[i] = 0;
    sum += weights[i];
  }
  return sum;
}

}  // namespace batchmate
