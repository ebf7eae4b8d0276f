#pragma once

#include <batchmate/game/concepts.hpp>

#include <match/scoreboard.hpp>
#include <match/settings.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

/// What is played and how.
struct match_settings {
  std::array<player_settings, 2> players;
  int openings = 100;                   ///< distinct random ones, if no file is given
  int opening_plies = 4;                ///< their length
  std::filesystem::path openings_file;  ///< empty: random openings
  std::uint64_t seed = 1;               ///< of the openings and of searches that draw
  int games = 256;                      ///< in flight, at most; changes no game
  int threads = 1;                      ///< changes no game
  bool sgf = false;                     ///< whether finished games are told as SGF, too
};

/// What there was to play.
struct match_facts {
  std::array<std::string, 2> evaluators;  ///< identities (players)
  int openings = 0;
};

/// Plays a match, many games at once: from every opening two games, the players swapping sides. A game is a function
/// of the seed, its number, the searches' settings and the evaluators' answers. `ready` is called when all is made and
/// before anything is played. Throws `common::usage_error` and the library's errors, also for openings that SGF cannot
/// tell if SGF is asked for. Every game's is compiled in a file of its own.
template <batchmate::game G>
match_facts play_match(match_settings const& settings, scoreboard& board, std::function<void()> const& ready);
