#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/search/concepts.hpp>
#include <batchmate/search/node_arena.hpp>
#include <batchmate/search/root_average.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

namespace batchmate {

/// What a move is taken to be worth before it has been visited; never less than -1.
enum class first_play {
  /// Its parent's mean value less `fpu_reduction`, the simplest form.
  parent,
  /// Its parent's mean value less `fpu_reduction` * sqrt(the sum of the visited moves' priors): the more likely
  /// the moves seen, the worse the others (KataGo: Wu, arXiv 1902.10565, section 2; Leela Chess Zero's
  /// `FpuStrategy=reduction`).
  visited_policy,
  absolute  ///< `fpu_value` (Leela Chess Zero's `FpuStrategy=absolute`)
};

/// AlphaZero's search (Silver et al., Science 362, 2018): every simulation goes down the edges of greatest
///
///     Q(s, a) + c(s) * P(s, a) * sqrt(N(s)) / (1 + N(s, a)),
///     c(s) = exploration + exploration_growth * log((1 + N(s) + exploration_base) / exploration_base),
///
/// N(s) counting the node's own evaluation, ties going to the greater prior, then to the smaller action. At the
/// root it is the prior before noise that breaks ties between visited moves; these come before unvisited ones.
/// The training target is the share of visits of each root move.
struct puct {
  int simulations = 400;     ///< visits of the root's children before a move is made, reused ones included
  float exploration = 1.5f;  ///< c_puct, that of a node without visits
  /// How it grows with the logarithm of visits; AlphaZero has 1 (Silver et al., Science 362, 2018, supplement).
  float exploration_growth = 0;
  float exploration_base = 19652;       ///< visits at which it has grown by growth * log(2); AlphaZero's
  first_play fpu = first_play::parent;  ///< the value of moves without visits
  float fpu_reduction = 0;              ///< units of value less than the parent's mean; not with `absolute`
  /// Whether that also goes for the root of a full search; KataGo's self-play has no reduction there, so that noise is
  /// followed.
  bool fpu_reduction_at_root = true;
  float fpu_value = 0;  ///< that value for `first_play::absolute`, from -1 to 1

  /// The root is evaluated under so many symmetries of the board, drawn by chance if the game has more, and has the
  /// mean of their answers (`root_average`). A root that was a node of the tree before is evaluated again; one of a
  /// cheap search is not averaged. 1 is off.
  int root_symmetries = 1;
  /// The root's priors are taken to the power of 1 / this, before noise, so that a policy that has become too sure of
  /// itself is widened again (KataGo's `rootPolicyTemperature`, 1.1 in its self-play; its docs/KataGoMethods.md).
  float root_temperature = 1;
  /// Share of Dirichlet noise in the root's priors; 0 for none. AlphaGo Zero has 0.25 (Silver et al., Nature 550, 2017).
  float noise_fraction = 0.25f;
  /// Its concentration a move; 0 chooses 10 / legal moves: AlphaZero scales it in inverse proportion to their usual
  /// number, 0.3 in chess, 0.03 in Go.
  float noise_alpha = 0;
  /// Concentrates half of the noise on moves of higher prior: `shape_noise` (KataGo's docs/KataGoMethods.md).
  bool noise_shaped = false;
  /// Every visited root move gets at least `forced_visits` with this factor; what was only forced is taken out
  /// of the target and the move choice again by `prune_forced` (Wu, arXiv 1902.10565, section 3.2). KataGo has 2; 0 is off.
  float forced_playouts = 0;
  /// Share of the moves that are searched in full; which ones is drawn by chance, and `decision` says it. The
  /// others have fewer simulations, no temperature or noise at the root, and force nothing: they are to reach
  /// positions, not to be trained on (playout cap randomisation: Wu, arXiv 1902.10565, section 3.1).
  float full_share = 1;
  int cheap_simulations = 0;  ///< what those others have
  /// Carry wins, draws and losses up the tree: `prove_upwards` (MCTS-Solver: Winands, Björnsson and Saito, CG 2008).
  bool prove = false;

  /// Temperature of the move choice in the first plies: visits^(1 / temperature); 0 takes the most visited move. AlphaGo
  /// Zero has 1 for 30 plies, then next to 0.
  float temperature = 1;
  int temperature_plies = 20;   ///< how many plies these are
  float final_temperature = 0;  ///< of the plies after them
  /// Where the temperature is 0, take the move of greatest mean value less so many standard errors, instead of
  /// the most visited one: `lower_bound` (KataGo's `lcbStdevs`, which has 5); 0 is off.
  float lower_bound_errors = 0;
  float lower_bound_visits = 0.15f;  ///< among the moves with this share of the most visited one's visits
  /// `decision` advises to resign below this root value; -1 never does. AlphaGo Zero gives up by a threshold, too, on the
  /// root's value and its best child's, which it sets by the games played through (`run_options::play_through`).
  float resign_below = -1;

  bool reuse_tree = true;  ///< keep the subtree of the move played
  int leaves = 1;          ///< leaves in flight; more fill batches with fewer games but change the games
  /// Lost visits a leaf counts as while it is in flight; none if leaves is 1 (Chaslot et al., CG 2008).
  int virtual_loss = 1;

  /// What programs may change, in the order they show it.
  static constexpr std::tuple fields{search_field{"simulations", &puct::simulations},
                                     search_field{"exploration", &puct::exploration},
                                     search_field{"exploration-growth", &puct::exploration_growth},
                                     search_field{"exploration-base", &puct::exploration_base},
                                     search_field{"fpu", &puct::fpu},
                                     search_field{"fpu-reduction", &puct::fpu_reduction},
                                     search_field{"fpu-reduction-at-root", &puct::fpu_reduction_at_root},
                                     search_field{"fpu-value", &puct::fpu_value},
                                     search_field{"root-symmetries", &puct::root_symmetries},
                                     search_field{"root-temperature", &puct::root_temperature},
                                     search_field{"noise", &puct::noise_fraction},
                                     search_field{"noise-alpha", &puct::noise_alpha},
                                     search_field{"noise-shaped", &puct::noise_shaped},
                                     search_field{"forced-playouts", &puct::forced_playouts},
                                     search_field{"full-share", &puct::full_share},
                                     search_field{"cheap-simulations", &puct::cheap_simulations},
                                     search_field{"resign-below", &puct::resign_below},
                                     search_field{"prove", &puct::prove},
                                     search_field{"temperature", &puct::temperature},
                                     search_field{"temperature-plies", &puct::temperature_plies},
                                     search_field{"final-temperature", &puct::final_temperature},
                                     search_field{"lower-bound-errors", &puct::lower_bound_errors},
                                     search_field{"lower-bound-visits", &puct::lower_bound_visits},
                                     search_field{"reuse", &puct::reuse_tree},
                                     search_field{"leaves", &puct::leaves},
                                     search_field{"virtual-loss", &puct::virtual_loss}};

  /// One game's tree: `select` finds a leaf, `absorb` expands it and backs its value up.
  template <game G>
  class tree;

  int max_rows() const { return leaves; }

  /// c(s) of a node with so many visits.
  float exploration_at(std::uint32_t visits) const {
    double const growth = std::log((1.0 + visits + exploration_base) / exploration_base);
    return static_cast<float>(exploration + exploration_growth * growth);
  }

  /// Whether c(s) is `exploration`, and what an unvisited move is worth the parent's mean less `fpu_reduction`, everywhere.
  bool has_plain_bounds() const {
    return exploration_growth == 0 && fpu == first_play::parent &&
           (fpu_reduction_at_root || fpu_reduction == 0);
  }

  /// What the unvisited moves are taken to be worth at a node of this mean value, whose visited moves have `seen`
  /// of the priors; `full_root` is the root of a full search.
  float unvisited_value(float mean, float seen, bool full_root) const {
    if (fpu == first_play::absolute) return fpu_value;
    if (full_root && !fpu_reduction_at_root) return mean;
    float const share = fpu == first_play::visited_policy ? std::sqrt(seen) : 1.0f;
    return std::max(mean - fpu_reduction * share, -1.0f);
  }

  /// The most nodes a tree can hold: the root and one a simulation.
  int max_nodes() const { return simulations + 1; }

  template <game G>
  std::size_t tree_bytes() const {
    return sizeof(tree<G>) + node_arena::bytes(max_nodes(), G::num_actions) +
           root_average<G>::bytes(root_symmetries) + 4 * static_cast<std::size_t>(leaves) +
           (lower_bound_errors > 0 ? 4 * static_cast<std::size_t>(max_nodes()) : 0);
  }

  std::string identity() const {
    std::string text = concat("puct simulations=", simulations, " exploration=", exploration,
                              " fpu_reduction=", fpu_reduction, " noise=", noise_fraction, "/", noise_alpha,
                              " temperature=", temperature, "/", temperature_plies, "/", final_temperature,
                              " reuse=", reuse_tree, " leaves=", leaves, "/", virtual_loss);
    puct const usual;
    auto const add = [&](char const* name, auto const& field, auto const& usual_field) {
      if (field != usual_field) text += concat(" ", name, "=", field);
    };
    add("exploration_growth", exploration_growth, usual.exploration_growth);
    add("exploration_base", exploration_base, usual.exploration_base);
    add("fpu", static_cast<int>(fpu), static_cast<int>(usual.fpu));
    add("fpu_reduction_at_root", fpu_reduction_at_root, usual.fpu_reduction_at_root);
    add("fpu_value", fpu_value, usual.fpu_value);
    add("root_symmetries", root_symmetries, usual.root_symmetries);
    add("root_temperature", root_temperature, usual.root_temperature);
    add("noise_shaped", noise_shaped, usual.noise_shaped);
    add("forced_playouts", forced_playouts, usual.forced_playouts);
    add("full_share", full_share, usual.full_share);
    add("cheap_simulations", cheap_simulations, usual.cheap_simulations);
    add("prove", prove, usual.prove);
    add("lower_bound_errors", lower_bound_errors, usual.lower_bound_errors);
    add("lower_bound_visits", lower_bound_visits, usual.lower_bound_visits);
    add("resign_below", resign_below, usual.resign_below);
    return text;
  }

  /// Throws `contract_error` for a field out of range.
  void check() const {
    auto const positive = [](char const* name, float value) {
      expects(value > 0 && std::isfinite(value), "puct: ", name, " must be positive, got ", value);
    };
    auto const not_negative = [](char const* name, float value) {
      expects(value >= 0 && std::isfinite(value), "puct: ", name, " must be finite and not negative, got ",
              value);
    };
    auto const within = [](char const* name, float value, float least) {
      expects(value >= least && value <= 1, "puct: ", name, " must be ", least, " to 1, got ", value);
    };
    expects(simulations > 0 && simulations <= max_simulations, "puct: simulations must be 1 to ",
            max_simulations, ", got ", simulations);
    expects(leaves > 0 && leaves <= 1024, "puct: leaves must be 1 to 1024, got ", leaves);
    expects(root_symmetries > 0, "puct: root_symmetries must be positive, got ", root_symmetries);
    // They are added to the values, in fp32, and taken out again: beside more of them too little of the values is left.
    expects(virtual_loss > 0 && virtual_loss <= 1000, "puct: virtual_loss must be 1 to 1000, got ",
            virtual_loss);
    not_negative("exploration", exploration);
    not_negative("exploration_growth", exploration_growth);
    expects(exploration <= 1e6f && exploration_growth <= 1e6f,
            "puct: exploration and exploration_growth must be at most 1000000, got ", exploration, " and ",
            exploration_growth);
    positive("exploration_base", exploration_base);
    expects(std::isfinite(fpu_reduction), "puct: fpu_reduction must be finite, got ", fpu_reduction);
    within("fpu_value", fpu_value, -1);
    positive("root_temperature", root_temperature);
    within("noise_fraction", noise_fraction, 0);
    not_negative("noise_alpha", noise_alpha);
    not_negative("forced_playouts", forced_playouts);
    within("full_share", full_share, 0);
    expects(full_share == 1 || (cheap_simulations > 0 && cheap_simulations <= simulations),
            "puct: cheap_simulations must be 1 to simulations, got ", cheap_simulations);
    not_negative("temperature", temperature);
    not_negative("final_temperature", final_temperature);
    not_negative("lower_bound_errors", lower_bound_errors);
    within("lower_bound_visits", lower_bound_visits, 0);
    within("resign_below", resign_below, -1);
  }
};

}  // namespace batchmate
