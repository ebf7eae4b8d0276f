#pragma once

#include <batchmate/game/connect4.hpp>
#include <batchmate/game/hex.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <common/program.hpp>

#include <string>
#include <vector>

namespace common {

/// The games that the programs know, by their names.
inline std::vector<std::string> game_names() {
  return {"tictactoe", "connect4", "hex7", "hex9", "hex11", "hex13"};
}

/// Calls `visit.template operator()<G>()` with the game of that name; throws `usage_error` for another name.
template <class Visit>
decltype(auto) with_game(std::string const& name, Visit&& visit) {
  if (name == "tictactoe") return visit.template operator()<batchmate::tictactoe>();
  if (name == "connect4") return visit.template operator()<batchmate::connect4>();
  if (name == "hex7") return visit.template operator()<batchmate::hex7>();
  if (name == "hex9") return visit.template operator()<batchmate::hex9>();
  if (name == "hex11") return visit.template operator()<batchmate::hex11>();
  if (name == "hex13") return visit.template operator()<batchmate::hex13>();
  throw usage_error("--game: there is no game " + name);
}

}  // namespace common
