#pragma once

#include <batchmate/batchmate.hpp>

#include <common/game_list.hpp>
#include <common/program.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace common {

/// The names of all games.
inline std::vector<std::string> game_names() {
  return []<class... Games>(game_list<Games...>) {
    return std::vector<std::string>{Games::name()...};
  }(all_games{});
}

/// The game that is played unless another is asked for: `wanted` if the programs know it, else the first.
inline std::string default_game(std::string const& wanted) {
  auto const names = game_names();
  return std::find(names.begin(), names.end(), wanted) == names.end() ? names[0] : wanted;
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
