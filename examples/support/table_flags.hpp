#pragma once

#include <common/flags.hpp>
#include <common/games.hpp>
#include <common/searches.hpp>

#include <support/table.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

/// What the programs at a table are told by flags: the game, its evaluator and the search.
class table_flags {
 public:
  /// Adds them, with so many simulations unless a flag says otherwise.
  table_flags(CLI::App& app, int simulations) : app_(app) {
    settings_["--simulations"] = std::to_string(simulations);
    app.add_option("--game", game, "The game")
        ->check(CLI::IsMember(common::game_names()))
        ->capture_default_str();
    common::add_evaluator_flags(app, evaluator_);
    std::string const group = "Search";
    app.add_option("--simulations", settings_["--simulations"],
                   "Visits of the root's moves; fewer are weaker")
        ->capture_default_str()
        ->group(group);
    app.add_option("--exploration", settings_["--exploration"], "c_puct [1.5]")->group(group);
    app.add_option("--leaves", settings_["--leaves"],
                   "Positions evaluated together [1]; more are faster on a device")
        ->group(group);
    auto keys = common::setting_keys(batchmate::puct{});
    std::erase_if(keys, is_of_games);
    std::string const about =
        ". Others that selfplay and match have are for whole games: here a position is searched in full, its "
        "best move is played, and chance is always the same";
    app.add_option("--set", more_, "Any settings of puct, KEY=VALUE,...: " + common::listed(keys) + about)
        ->group(group);
  }

  table_flags(table_flags const&) = delete;  // the program's flags write here
  table_flags& operator=(table_flags const&) = delete;

  std::string game = common::default_game("connect4");

  /// The search. Throws `common::usage_error`.
  batchmate::puct search() const {
    common::search_choice search = batchmate::puct{.noise_fraction = 0, .temperature = 0};
    for (auto const& [flag, value] : settings_) {
      if (value.empty() && app_.count(flag) == 0) continue;
      common::change_setting(flag, search, flag.substr(2), value);
      common::check_search(flag, search);
    }
    if (!more_.empty()) {
      for (auto const& [key, value] : common::settings_in("--set", more_, 0))
        if (is_of_games(key))
          throw common::usage_error("--set: " + key + " is for whole games, not for one position");
      common::change_settings("--set", search, more_);
      common::check_search("--set", search);
    }
    return std::get<batchmate::puct>(search);
  }

  /// A table with the game's start. Throws `common::usage_error` and the library's errors.
  std::unique_ptr<table> make_table() const {
    auto const wanted = search();
    common::note_unused(app_, evaluator_);
    return ::make_table(game, evaluator_, wanted);
  }

 private:
  /// Whether a setting is about the games that positions are from, and no matter of one position.
  static bool is_of_games(std::string const& key) {
    for (char const* name : {"full-share", "cheap-simulations", "resign-below", "temperature",
                             "temperature-plies", "final-temperature"})
      if (key == name) return true;
    return false;
  }

  CLI::App const& app_;
  common::evaluator_choice evaluator_;
  std::map<std::string, std::string> settings_;  // of the search, by the flag
  std::string more_;
};
