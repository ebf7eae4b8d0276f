#pragma once

#include <batchmate/batchmate.hpp>

#include <common/program.hpp>

#include <string>
#include <utility>
#include <vector>

namespace common {

/// Types of games.
template <class... Games>
struct game_list {};

/// The games that the programs know. CMake reads this list, too: for each it compiles what is done with a game, and
/// takes `batchmate::NAME` for the game that calls itself NAME.
using all_games = game_list<batchmate::tictactoe, batchmate::connect4, batchmate::hex7, batchmate::hex9,
                            batchmate::hex11, batchmate::hex13, batchmate::othello, batchmate::gomoku,
                            batchmate::breakthrough8, batchmate::go9, batchmate::go13, batchmate::go19>;

/// Their names.
inline std::vector<std::string> game_names() {
  return []<class... Games>(game_list<Games...>) {
    return std::vector<std::string>{Games::name()...};
  }(all_games{});
}

/// Calls `visit.template operator()<G>()` with the game of that name; throws `usage_error` if it is not in the list.
template <class Visit, class First, class... Rest>
auto with_game(std::string const& name, Visit&& visit, game_list<First, Rest...>) {
  if (First::name() == name) return visit.template operator()<First>();
  if constexpr (sizeof...(Rest) > 0)
    return with_game(name, std::forward<Visit>(visit), game_list<Rest...>{});
  else
    throw usage_error("--game: there is no game " + name);
}

/// The same with all games.
template <class Visit>
auto with_game(std::string const& name, Visit&& visit) {
  return with_game(name, std::forward<Visit>(visit), all_games{});
}

}  // namespace common
