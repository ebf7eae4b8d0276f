#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/board_text.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// Connect Four on 7 columns and 6 rows. Actions are the columns from the left, written `1` to `7`; planes
/// are the own and the opponent's stones, row 0 at the top.
///
/// Inside, a column is 7 bits, lowest row first, with an empty bit on top that keeps shifted lines apart:
///
///     5 12 19 26 33 40 47   top row
///     :  :  :  :  :  :  :
///     0  7 14 21 28 35 42   bottom row
class connect4 {
 public:
  static constexpr int num_actions = 7;     ///< the columns
  static constexpr shape input{2, 6, 7};    ///< own stones, opponent's stones
  static constexpr int max_plies = 42;      ///< the full board
  static constexpr int num_symmetries = 2;  ///< as it is, mirrored left to right

  /// The columns that are not full.
  BATCHMATE_HD constexpr action_set<7> legal_actions() const { return {{gather(~stones_ >> 5)}}; }

  /// Drops a stone of the player to move into a column that is not full.
  BATCHMATE_HD constexpr void play(int action) {
    mine_ ^= stones_;
    stones_ |= stones_ + (std::uint64_t{1} << 7 * action);
  }

  /// A loss for the player to move once the opponent has four in a row, a draw on a full board.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if (four_in_a_row(mine_ ^ stones_)) return loss;
    if (stones_ == bottom_row * 0x3f) return batchmate::draw;
    return std::nullopt;
  }

  /// Own stones to plane 0, the opponent's to plane 1.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    planes.words[0] = by_rows(mine_);
    planes.words[1] = by_rows(mine_ ^ stones_);
  }

  /// A number that differs between any two positions.
  BATCHMATE_HD constexpr std::uint64_t key() const { return mix_bits(mine_ + stones_ + bottom_row); }

  /// Where a symmetry takes a cell, row * 7 + column.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    return symmetry ? cell - cell % 7 + 6 - cell % 7 : cell;
  }
  /// Where a symmetry takes a column.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    return symmetry ? 6 - action : action;
  }

  /// `connect4`
  static std::string name() { return "connect4"; }

  /// `1` to `7`.
  static std::string action_text(int action) { return std::to_string(action + 1); }
  /// The column that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) {
    if (text.size() != 1 || text[0] < '1' || text[0] > '7') return std::nullopt;
    return text[0] - '1';
  }

  /// One line: the rows from the top separated by `/`, then who is to move; `x` begins.
  std::string to_text() const { return format_board(board(), 7); }

  /// The position that `to_text` writes so; empty for other text, for impossible numbers of stones, for
  /// stones that float, and where the player to move has four in a row already.
  static std::optional<connect4> from_text(std::string_view text) {
    auto const board = parse_board(text, 6, 7);
    if (!board || board->count('x') - board->count('o') != (board->x_to_move ? 0 : 1)) return std::nullopt;
    connect4 position;
    for (int cell = 0; cell < 42; ++cell) {
      char const c = board->cells[static_cast<std::size_t>(cell)];
      std::uint64_t const bit = std::uint64_t{1} << bit_of(cell);
      if (c != '.') position.stones_ |= bit;
      if (c == (board->x_to_move ? 'x' : 'o')) position.mine_ |= bit;
    }
    bool const floating = (position.stones_ & ~(position.stones_ << 1 | bottom_row)) != 0;
    if (floating || four_in_a_row(position.mine_)) return std::nullopt;
    return position;
  }

  /// The board with its columns, a row a line, and who is to move.
  std::string draw() const {
    board_text const b = board();
    std::string text;
    for (int cell = 0; cell < 42; ++cell) {
      text += b.cells[static_cast<std::size_t>(cell)];
      text += cell % 7 == 6 ? '\n' : ' ';
    }
    return text + "1 2 3 4 5 6 7\n" + (b.x_to_move ? "x" : "o") + " to move\n";
  }

 private:
  static constexpr std::uint64_t bottom_row = 0x40810204081;

  /// The bits 0, 7, ..., 42 side by side: 2^(42 - 6c) takes bit 7c to bit 42 + c, and no two products share a bit.
  BATCHMATE_HD static constexpr std::uint64_t gather(std::uint64_t s) {
    return (s & bottom_row) * 0x41041041040 >> 42 & 0x7f;
  }

  BATCHMATE_HD static constexpr bool four_in_a_row(std::uint64_t s) {
    std::uint64_t const up = s & s >> 1, across = s & s >> 7, falling = s & s >> 6, rising = s & s >> 8;
    return ((up & up >> 2) | (across & across >> 14) | (falling & falling >> 12) | (rising & rising >> 16)) !=
           0;
  }

  /// Bits in the order of cells, row * 7 + column.
  BATCHMATE_HD static constexpr std::uint64_t by_rows(std::uint64_t s) {
    std::uint64_t rows = 0;
    for (int height = 0; height < 6; ++height) rows |= gather(s >> height) << 7 * (5 - height);
    return rows;
  }

  /// The inner bit of a cell, row * 7 + column.
  BATCHMATE_HD static constexpr int bit_of(int cell) { return cell % 7 * 7 + 5 - cell / 7; }

  board_text board() const {
    bool const x_to_move = bit_set<64>::popcount(stones_) % 2 == 0;
    board_text b{std::string(42, '.'), x_to_move};
    for (int cell = 0; cell < 42; ++cell) {
      if (!(stones_ >> bit_of(cell) & 1)) continue;
      bool const mine = mine_ >> bit_of(cell) & 1;
      b.cells[static_cast<std::size_t>(cell)] = mine == x_to_move ? 'x' : 'o';
    }
    return b;
  }

  std::uint64_t mine_ = 0;    // stones of the player to move
  std::uint64_t stones_ = 0;  // stones of both
};

static_assert(game_with_text<connect4> && game_with_symmetries<connect4> && game_with_key<connect4>);

}  // namespace batchmate
