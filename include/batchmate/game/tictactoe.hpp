#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/board_text.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// Tic-tac-toe. Actions are the cells, row by row from the top; planes are the own and the opponent's stones.
///
/// A cell is written `a1`: a letter for the column, a number for the row, 1 at the top. A position is written
/// as its rows from the top and the player to move, `x../.o./... o`; `x` begins.
class tictactoe {
 public:
  static constexpr int num_actions = 9;     ///< the cells
  static constexpr shape input{2, 3, 3};    ///< own stones, opponent's stones
  static constexpr int max_plies = 9;       ///< the full board
  static constexpr int num_symmetries = 8;  ///< s: mirrored left to right if s & 4, then turned s & 3 times

  /// The empty cells.
  BATCHMATE_HD constexpr action_set<9> legal_actions() const {
    return {{static_cast<std::uint64_t>(~(mine_ | theirs_) & full)}};
  }

  /// Puts a stone of the player to move on an empty cell.
  BATCHMATE_HD constexpr void play(int action) {
    int const moved = mine_ | 1 << action;
    mine_ = theirs_;
    theirs_ = static_cast<std::uint16_t>(moved);
  }

  /// A loss for the player to move once the opponent has three in a row, a draw on a full board.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if (three_in_a_row(theirs_)) return loss;
    if ((mine_ | theirs_) == full) return batchmate::draw;
    return std::nullopt;
  }

  /// Own stones to plane 0, the opponent's to plane 1.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    planes.words[0] = mine_;
    planes.words[1] = theirs_;
  }

  /// A number that differs between any two positions.
  BATCHMATE_HD constexpr std::uint64_t key() const {
    return mix_bits(static_cast<std::uint64_t>(mine_ | theirs_ << 9) + 0x7474);
  }

  /// Where a symmetry takes a cell, row * 3 + column.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    int row = cell / 3, column = cell % 3;
    if (symmetry & 4) column = 2 - column;
    for (int turn = 0; turn < (symmetry & 3); ++turn) {
      int const turned = 2 - row;
      row = column;
      column = turned;
    }
    return row * 3 + column;
  }
  /// Where a symmetry takes an action: as its cell.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    return symmetric_cell(symmetry, action);
  }

  /// `tictactoe`
  static std::string name() { return "tictactoe"; }

  /// `a1` to `c3`.
  static std::string action_text(int action) { return cell_text(action, 3); }
  /// The action that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) { return parse_cell(text, 3, 3); }

  /// One line, such as `x../.o./... x`.
  std::string to_text() const { return format_board(board(), 3); }

  /// The position that `to_text` writes so; empty for other text, for impossible numbers of stones and where
  /// the player to move has three in a row already.
  static std::optional<tictactoe> from_text(std::string_view text) {
    auto const board = parse_board(text, 3, 3);
    if (!board || board->count('x') - board->count('o') != (board->x_to_move ? 0 : 1)) return std::nullopt;
    int x = 0, o = 0;
    for (int i = 0; i < 9; ++i) {
      x |= (board->cells[static_cast<std::size_t>(i)] == 'x') << i;
      o |= (board->cells[static_cast<std::size_t>(i)] == 'o') << i;
    }
    tictactoe position;
    position.mine_ = static_cast<std::uint16_t>(board->x_to_move ? x : o);
    position.theirs_ = static_cast<std::uint16_t>(board->x_to_move ? o : x);
    if (three_in_a_row(position.mine_)) return std::nullopt;
    return position;
  }

  /// The board with its coordinates, a row a line, and who is to move.
  std::string draw() const {
    board_text const b = board();
    std::string text = "  a b c\n";
    for (int row = 0; row < 3; ++row) {
      text += std::to_string(row + 1);
      for (int column = 0; column < 3; ++column) {
        text += ' ';
        text += b.cells[static_cast<std::size_t>(row * 3 + column)];
      }
      text += '\n';
    }
    return text + (b.x_to_move ? "x" : "o") + " to move\n";
  }

 private:
  static constexpr int full = 0x1ff;

  BATCHMATE_HD static constexpr bool three_in_a_row(int s) {
    return (s & s >> 1 & s >> 2 & 0111) || (s & s >> 3 & s >> 6 & 0007) || (s & 0421) == 0421 ||
           (s & 0124) == 0124;
  }

  board_text board() const {
    bool const x_to_move = bit_set<9>::popcount(mine_) == bit_set<9>::popcount(theirs_);
    board_text b{std::string(9, '.'), x_to_move};
    for (int i = 0; i < 9; ++i) {
      if (mine_ >> i & 1) b.cells[static_cast<std::size_t>(i)] = x_to_move ? 'x' : 'o';
      if (theirs_ >> i & 1) b.cells[static_cast<std::size_t>(i)] = x_to_move ? 'o' : 'x';
    }
    return b;
  }

  std::uint16_t mine_ = 0;    // stones of the player to move, bit row * 3 + column
  std::uint16_t theirs_ = 0;  // stones of the other player
};

static_assert(game_with_text<tictactoe> && game_with_symmetries<tictactoe> && game_with_key<tictactoe>);

}  // namespace batchmate
