#pragma once

#include <batchmate/search/puct_options.hpp>

#include <cstddef>
#include <string>
#include <tuple>

namespace batchmate {

/// `puct` on a graph: a position that is reached in several ways is one node, evaluated once. For games with a
/// `key`; positions of equal keys must have equal legal moves, results and evaluations from there on, so that a
/// game whose rules look back (superko, repetition) must put what they look at into its key, or have none. Positions of
/// equal keys but different planes have different nodes, so that a collision of hashes cannot join two boards; what no
/// plane shows is told apart by the key alone, with chance 2^-64 of a collision where that is a hash.
///
/// A node keeps how often each of its moves was chosen, N(s, a), and is worth
///
///     Q(s) = (U(s) - sum over a of N(s, a) * Q(s after a)) / N(s),    N(s) = 1 + sum over a of N(s, a),
///
/// U being the network's value. That is computed anew from the children as they are now for every node that a
/// simulation passed, so visits that a child had from elsewhere count in its value but not as this node's choice
/// (KataGo, docs/GraphSearch.md; Czech, Korus and Kersting, ICAPS 2021). A simulation that comes back to a node
/// it has passed ends there, with what that node is worth so far: graphs with cycles are searched in finite time.
///
/// The fields are those of `puct`, where each is described. The graph begins anew with every move, as a position kept may
/// be reached from ones that are not; and it has no leaves in flight, no proofs and no lower bound, which follow a
/// node's way up to the one parent that it has in a tree.
struct puct_graph {
  int simulations = 400;  ///< visits of the root's moves before one is made
  float exploration = 1.5f;
  float exploration_growth = 0;
  float exploration_base = 19652;
  first_play fpu = first_play::parent;
  float fpu_reduction = 0;
  bool fpu_reduction_at_root = true;
  float fpu_value = 0;
  int root_symmetries = 1;
  float root_temperature = 1;
  float noise_fraction = 0.25f;
  float noise_alpha = 0;
  bool noise_shaped = false;
  float forced_playouts = 0;
  float full_share = 1;
  int cheap_simulations = 0;
  float temperature = 1;
  int temperature_plies = 20;
  float final_temperature = 0;
  float resign_below = -1;

  /// What programs may change, in the order they show it.
  static constexpr std::tuple fields{
      search_field{"simulations", &puct_graph::simulations},
      search_field{"exploration", &puct_graph::exploration},
      search_field{"exploration-growth", &puct_graph::exploration_growth},
      search_field{"exploration-base", &puct_graph::exploration_base},
      search_field{"fpu", &puct_graph::fpu},
      search_field{"fpu-reduction", &puct_graph::fpu_reduction},
      search_field{"fpu-reduction-at-root", &puct_graph::fpu_reduction_at_root},
      search_field{"fpu-value", &puct_graph::fpu_value},
      search_field{"root-symmetries", &puct_graph::root_symmetries},
      search_field{"root-temperature", &puct_graph::root_temperature},
      search_field{"noise", &puct_graph::noise_fraction},
      search_field{"noise-alpha", &puct_graph::noise_alpha},
      search_field{"noise-shaped", &puct_graph::noise_shaped},
      search_field{"forced-playouts", &puct_graph::forced_playouts},
      search_field{"full-share", &puct_graph::full_share},
      search_field{"cheap-simulations", &puct_graph::cheap_simulations},
      search_field{"resign-below", &puct_graph::resign_below},
      search_field{"temperature", &puct_graph::temperature},
      search_field{"temperature-plies", &puct_graph::temperature_plies},
      search_field{"final-temperature", &puct_graph::final_temperature}};

  /// One game's graph.
  template <game_with_key G>
  class tree;

  int max_rows() const { return 1; }

  /// The most nodes a graph can hold: the root and one a simulation.
  int max_nodes() const { return simulations + 1; }

  template <game_with_key G>
  std::size_t tree_bytes() const {
    return tree<G>::bytes(*this);
  }

  std::string identity() const { return "puct_graph of " + as_puct().identity(); }

  /// Throws `contract_error` for a field out of range.
  void check() const { as_puct().check(); }

  /// The tree search of the same settings.
  puct as_puct() const {
    return {.simulations = simulations,
            .exploration = exploration,
            .exploration_growth = exploration_growth,
            .exploration_base = exploration_base,
            .fpu = fpu,
            .fpu_reduction = fpu_reduction,
            .fpu_reduction_at_root = fpu_reduction_at_root,
            .fpu_value = fpu_value,
            .root_symmetries = root_symmetries,
            .root_temperature = root_temperature,
            .noise_fraction = noise_fraction,
            .noise_alpha = noise_alpha,
            .noise_shaped = noise_shaped,
            .forced_playouts = forced_playouts,
            .full_share = full_share,
            .cheap_simulations = cheap_simulations,
            .temperature = temperature,
            .temperature_plies = temperature_plies,
            .final_temperature = final_temperature,
            .resign_below = resign_below,
            .reuse_tree = false};
  }
};

}  // namespace batchmate
