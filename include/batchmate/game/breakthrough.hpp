#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/board_text.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// Breakthrough (Dan Troyka, 2000): each player begins with the two rows of pieces on its own side. A piece
/// moves one row forward, straight or diagonally, onto an empty cell; diagonally it may capture. Who reaches
/// the far row or captures all pieces has won; there are no draws, and there is always a move. `x` begins.
///
/// Everything is as the player to move sees it, moving upwards: the board is turned over after every move, columns
/// stay. Action direction * cells + cell moves the piece from cell row * Columns + column, row 0 being the far
/// one, towards the first column (direction 0), straight (1) or towards the last (2). Those that would leave the
/// board have numbers, too, but are never legal.
template <int Rows, int Columns>
class breakthrough {
  static_assert(Rows >= 4 && Rows <= 8, "batchmate::breakthrough: Rows must be 4 to 8");
  static_assert(Columns >= 2 && Columns <= 8, "batchmate::breakthrough: Columns must be 2 to 8");

 public:
  static constexpr int num_cells = Rows * Columns;   ///< cells of the board
  static constexpr int num_actions = 3 * num_cells;  ///< three directions from every cell
  static constexpr shape input{2, Rows, Columns};    ///< own pieces, opponent's pieces
  static constexpr int num_symmetries = 2;           ///< as it is, mirrored left to right

  /// Every move takes a piece a row forward. Of each player's pieces one row can move Rows - 2 times and the
  /// other Rows - 3 times before the one move that reaches the far row.
  static constexpr int max_plies = 2 * Columns * (2 * Rows - 5) + 1;

  /// The moves of all pieces.
  BATCHMATE_HD constexpr action_set<num_actions> legal_actions() const {
    std::uint64_t const free[3] = {~(mine_ << (Columns + 1) | first_column), ~((mine_ | theirs_) << Columns),
                                   ~(mine_ << (Columns - 1) | last_column)};
    action_set<num_actions> legal;
    for (int direction = 0; direction < 3; ++direction) {
      int const at = direction * num_cells, word = at >> 6, bit = at & 63;
      std::uint64_t const from = mine_ & free[direction];
      legal.words[word] |= from << bit;
      if (bit + num_cells > 64) legal.words[word + 1] |= from >> (64 - bit);
    }
    return legal;
  }

  /// Moves a piece, capturing what is there, and turns the board over.
  BATCHMATE_HD constexpr void play(int action) {
    int const direction = action / num_cells, from = action % num_cells;
    std::uint64_t const one = 1, to = one << (from - Columns - 1 + direction);
    std::uint64_t const mine = (mine_ ^ one << from) | to;
    mine_ = turned_over(theirs_ & ~to);
    theirs_ = turned_over(mine);
    x_to_move_ = !x_to_move_;
  }

  /// A loss for the player to move once the opponent has reached its side or captured its last piece.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if ((theirs_ & near_row) != 0 || mine_ == 0) return loss;
    return std::nullopt;
  }

  /// Own pieces to plane 0, the opponent's to plane 1; the own side is the last row.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    planes.words[0] = mine_;
    planes.words[1] = theirs_;
  }

  /// A number that depends on the pieces as the player to move sees them, as the rest of the game does; distinct
  /// positions share one with chance 2^-64.
  BATCHMATE_HD constexpr std::uint64_t key() const {
    return mix_bits(mix_bits(mine_ + 0x9e3779b97f4a7c15) ^ theirs_);
  }

  /// Where a symmetry takes a cell, row * Columns + column.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    return symmetry ? cell - cell % Columns + Columns - 1 - cell % Columns : cell;
  }
  /// Where a symmetry takes an action: with its cell; the diagonals change places.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    int const direction = action / num_cells;
    int const cell = symmetric_cell(symmetry, action % num_cells);
    return (symmetry ? 2 - direction : direction) * num_cells + cell;
  }

  /// `breakthrough8` on 8 x 8 cells, `breakthrough5x4` on 5 rows of 4.
  static std::string name() {
    std::string text = "breakthrough" + std::to_string(Rows);
    if (Rows != Columns) text.append("x").append(std::to_string(Columns));
    return text;
  }

  /// From and to, such as `b2c3`. Either player counts rows from its own side, 1 to Rows, and columns from `a`.
  /// A column beside the board is `-`.
  static std::string action_text(int action) {
    int const direction = action / num_cells, from = action % num_cells;
    int const column = from % Columns, to = column + direction - 1, row = Rows - from / Columns;
    return letter(column) + std::to_string(row) + letter(to) + std::to_string(row + 1);
  }
  /// The action that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) {
    if (text.size() != 4) return std::nullopt;
    int const column = text[0] - 'a', row = Rows - (text[1] - '0');
    if (column < 0 || column >= Columns || row < 0 || row >= Rows) return std::nullopt;
    for (int direction = 0; direction < 3; ++direction) {
      int const action = direction * num_cells + row * Columns + column;
      if (action_text(action) == text) return action;
    }
    return std::nullopt;
  }

  /// One line: the rows from the top separated by `/`, then who is to move. `x` moves upwards, whoever it is.
  std::string to_text() const { return format_board(board(), Columns); }

  /// The position that `to_text` writes so; empty for other text, for more pieces than there are, and where the
  /// player to move has won already.
  static std::optional<breakthrough> from_text(std::string_view text) {
    auto const board = parse_board(text, Rows, Columns);
    if (!board || board->count('x') > 2 * Columns || board->count('o') > 2 * Columns) return std::nullopt;
    std::uint64_t x = 0, o = 0;
    for (int i = 0; i < num_cells; ++i) {
      char const c = board->cells[static_cast<std::size_t>(i)];
      x |= std::uint64_t{c == 'x'} << i;
      o |= std::uint64_t{c == 'o'} << i;
    }
    breakthrough position;
    position.x_to_move_ = board->x_to_move;
    position.mine_ = board->x_to_move ? x : turned_over(o);
    position.theirs_ = board->x_to_move ? o : turned_over(x);
    bool const won = (position.mine_ & far_row) != 0 || position.theirs_ == 0;
    if (won || bit_set<64>::popcount(position.theirs_ & near_row) > 1) return std::nullopt;
    return position;
  }

  /// The board with the rows as `x` counts them on the left and as `o` does on the right, and who is to move.
  std::string draw() const {
    board_text const b = board();
    std::string text, letters = " ";
    for (int row = 0; row < Rows; ++row) {
      text += std::to_string(Rows - row);
      for (int column = 0; column < Columns; ++column)
        text += {' ', b.cells[static_cast<std::size_t>(row * Columns + column)]};
      text += ' ' + std::to_string(row + 1) + '\n';
    }
    for (int column = 0; column < Columns; ++column) letters += ' ' + letter(column);
    return text + letters + (x_to_move_ ? "\nx (upwards) to move\n" : "\no (downwards) to move\n");
  }

 private:
  /// The cells of one row.
  BATCHMATE_HD static constexpr std::uint64_t row_cells(int row) {
    return ((std::uint64_t{1} << Columns) - 1) << row * Columns;
  }
  BATCHMATE_HD static constexpr std::uint64_t column_cells(int column) {
    std::uint64_t cells = 0;
    for (int row = 0; row < Rows; ++row) cells |= std::uint64_t{1} << (row * Columns + column);
    return cells;
  }
  static constexpr std::uint64_t far_row = row_cells(0), near_row = row_cells(Rows - 1);
  static constexpr std::uint64_t first_column = column_cells(0), last_column = column_cells(Columns - 1);

  /// The first row becomes the last, and so on.
  BATCHMATE_HD static constexpr std::uint64_t turned_over(std::uint64_t cells) {
    std::uint64_t turned = 0;
    for (int row = 0; row < Rows; ++row)
      turned |= (cells >> row * Columns & row_cells(0)) << (Rows - 1 - row) * Columns;
    return turned;
  }

  static std::string letter(int column) {
    return std::string(1, column < 0 || column >= Columns ? '-' : static_cast<char>('a' + column));
  }

  board_text board() const {
    std::uint64_t const x = x_to_move_ ? mine_ : turned_over(theirs_);
    std::uint64_t const o = x_to_move_ ? theirs_ : turned_over(mine_);
    board_text b{std::string(num_cells, '.'), x_to_move_};
    for (int i = 0; i < num_cells; ++i)
      if ((x | o) >> i & 1) b.cells[static_cast<std::size_t>(i)] = x >> i & 1 ? 'x' : 'o';
    return b;
  }

  // Pieces of the player to move and of the other, bit row * Columns + column, the player to move moving upwards.
  std::uint64_t mine_ = row_cells(Rows - 2) | row_cells(Rows - 1);
  std::uint64_t theirs_ = row_cells(0) | row_cells(1);
  bool x_to_move_ = true;
};

using breakthrough8 = breakthrough<8, 8>;  ///< the usual board

static_assert(game_with_text<breakthrough8> && game_with_symmetries<breakthrough8> &&
              game_with_key<breakthrough8>);

}  // namespace batchmate
