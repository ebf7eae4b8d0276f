#pragma once

#include <common/evaluators.hpp>
#include <common/searches.hpp>

#include <match/sprt.hpp>

#include <string>
#include <utility>
#include <vector>

/// A player: what evaluates its positions, and its search.
struct player_settings {
  std::string text;  ///< as the flag gave it
  common::evaluator_choice evaluator;
  common::search_choice search;
};

using common::setting_list;

/// The player that a flag describes: `NETWORK[,KEY=VALUE]...`, NETWORK being a file, `shipped`,
/// `random:BLOCKSxCHANNELS:SEED`, `uniform` or `rollout[:PLAYOUTS[:SEED]]`, and KEY `search`, a setting of that search,
/// `evaluator`, `precision`, `plan`, `symmetry` or `cache`. `usual` are settings that hold for both players, which have
/// flags of their own; of those that the player's search does not have, a note is printed. Throws `common::usage_error`,
/// which begins with the flag's name.
player_settings parse_player(std::string const& flag, std::string const& text, setting_list const& usual);

/// The test that `elo0=X,elo1=Y[,alpha=A][,beta=B]` describes. Throws `common::usage_error`.
sprt parse_sprt(std::string const& flag, std::string const& text);

/// What `--help` says of the settings.
std::string setting_names();
