#pragma once

#include <batchmate/search/puct.hpp>

#include <common/evaluators.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// A legal move as the network and the search see it.
struct move_view {
  std::string action;
  float prior = 0;  ///< with which the search went there: the network's, unless settings change it
  int visits = 0;   ///< simulations that began with it
  std::optional<float> value{};  ///< their mean for the player who moves, in [-1, 1]; empty without visits
};

/// What a search found out about a position. Values are for the player to move, in [-1, 1].
struct analysis {
  float network_value = 0;                       ///< before any search
  std::vector<move_view> network_policy;         ///< likewise: priors alone, the likeliest first
  std::string move;                              ///< that the search plays
  float value = 0;                               ///< after it
  int simulations = 0;                           ///< visits of the moves
  int nodes = 0;                                 ///< of the tree, the root included
  std::vector<move_view> moves;                  ///< all legal ones: most visited first, then by prior
  std::vector<std::string> principal_variation;  ///< that move, then the most visited one of every position
};

/// A position of any game, the moves that led to it, and a search that looks at it. Moves and positions are
/// texts, as the game writes them.
class table {
 public:
  table() = default;
  table(table const&) = delete;
  table& operator=(table const&) = delete;
  virtual ~table() = default;

  virtual std::string draw() const = 0;             ///< the board over several lines
  virtual std::string position() const = 0;         ///< one line
  virtual std::optional<float> result() const = 0;  ///< for the player to move; empty while the game goes on
  virtual std::string score() const = 0;            ///< of a finished game: `sgf_result`, black moving first
  virtual std::vector<std::string> moves() const = 0;  ///< legal ones
  virtual int columns() const = 0;                     ///< of the board
  virtual int plies() const = 0;                       ///< played since the position set last
  virtual std::string evaluator() const = 0;           ///< its identity
  virtual std::string network() const = 0;             ///< name and size, or `none`

  /// Sets another position; false, and nothing changes, if the text is none.
  virtual bool set_position(std::string const& text) = 0;
  /// Plays a move, keeping what the search knows of the position after it. What is wrong with the move
  /// otherwise, and then nothing changes.
  virtual std::optional<std::string> play(std::string const& move) = 0;
  /// Takes back the last plies, not more than have been played.
  virtual void undo(int plies) = 0;
  /// Searches a position that is not finished.
  virtual analysis think() = 0;
};

/// A table with the start position of a game. Throws `common::usage_error` and the library's errors.
std::unique_ptr<table> make_table(std::string const& game, common::evaluator_choice const& choice,
                                  batchmate::puct const& search);

/// The same for one game; `game.cpp.in` instantiates it for every game.
template <batchmate::game G>
std::unique_ptr<table> make_table(common::evaluator_choice const& choice, batchmate::puct const& search);
