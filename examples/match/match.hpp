#pragma once

#include <batchmate/search/puct.hpp>

#include <common/evaluators.hpp>

#include <cstdint>
#include <string>

/// What is played: every opening twice, the players swapping sides.
struct match_settings {
  int openings = 100;
  int opening_plies = 4;  ///< random moves before the players take over
  std::uint64_t seed = 1;
  batchmate::puct search{};  ///< of both players
};

/// The result of a match, from the first player's side.
struct match_score {
  int wins = 0, draws = 0, losses = 0;
  int wins_moving_first =
      0;  ///< of the wins, in games where the first player made the first move after the opening

  int games() const { return wins + draws + losses; }
  /// Points a game: a win is 1, a draw 1/2.
  double score() const { return games() > 0 ? (wins + 0.5 * draws) / games() : 0; }
};

/// A match that has been played.
struct match_result {
  std::string first, second;  ///< the evaluators' identities
  match_score score;
};

/// Plays a match of game G; `game.cpp.in` instantiates it for every game. Throws `common::usage_error` and the
/// library's errors.
template <batchmate::game G>
match_result play_match(match_settings const& settings, common::evaluator_choice const& first,
                        common::evaluator_choice const& second);
