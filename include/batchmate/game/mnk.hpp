#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/game/rectangle.hpp>
#include <batchmate/game/sgf.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// The m,n,k-game: on M rows of N columns, players put stones on empty cells until one has K or more in a row,
/// across, upwards or in a diagonal, or the board is full. `x` begins. Actions are the cells, row by row from the
/// top, written `a1`: a letter for the column, a number for the row, 1 at the top.
template <int M, int N, int K>
class mnk {
  static_assert(M >= 1 && M <= 26 && N >= 1 && N <= 26, "batchmate::mnk: rows and columns must be 1 to 26");
  static_assert(K >= 2 && (K <= M || K <= N), "batchmate::mnk: K must be 2 or more, and fit the board");
  static_assert(M * N >= 2 * K - 1, "batchmate::mnk: the board is full before anybody can have K in a row");

 public:
  static constexpr int num_cells = M * N;                            ///< cells of the board
  static constexpr int num_actions = num_cells;                      ///< the cells
  static constexpr shape input{2, M, N};                             ///< own stones, opponent's stones
  static constexpr int max_plies = num_cells;                        ///< the full board
  static constexpr int num_symmetries = rectangle_symmetries(M, N);  ///< those of `rectangle_cell`
  static constexpr sgf_format sgf = sgf_format::gomoku(M, N);        ///< how its games are written in SGF

  /// The empty cells.
  BATCHMATE_HD constexpr action_set<num_actions> legal_actions() const { return ~(stones_[0] | stones_[1]); }

  /// Puts a stone of the player to move on an empty cell.
  BATCHMATE_HD constexpr void play(int action) { stones_[ply_++ & 1].set(action); }

  /// A loss for the player to move once the opponent has K in a row, a draw on a full board.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if (ply_ < 2 * K - 1) return std::nullopt;
    if (in_a_row(stones_[~ply_ & 1])) return loss;
    if (ply_ == num_cells) return batchmate::draw;
    return std::nullopt;
  }

  /// Own stones to plane 0, the opponent's to plane 1.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    planes.assign(0, stones_[ply_ & 1]);
    planes.assign(1, stones_[~ply_ & 1]);
  }

  /// A number that depends on the stones; distinct positions share one with chance 2^-64.
  BATCHMATE_HD constexpr std::uint64_t key() const {
    std::uint64_t sum = 0, salt = 0;
    for (cells const& stones : stones_)
      for (std::uint64_t word : stones.words) sum += mix_bits(word ^ (salt += 0x9e3779b97f4a7c15));
    return mix_bits(sum);
  }

  /// Where a symmetry takes a cell, row * N + column.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    return rectangle_cell(symmetry, cell, M, N);
  }
  /// Where a symmetry takes an action: as its cell.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    return symmetric_cell(symmetry, action);
  }

  /// Plies played so far; even: `x` is to move.
  BATCHMATE_HD constexpr int ply() const { return ply_; }

  /// `gomoku` for 15 x 15 cells and five in a row; others after their numbers, such as `mnk3x4x3`.
  static std::string name() {
    if (M == 15 && N == 15 && K == 5) return "gomoku";
    return "mnk" + std::to_string(M) + "x" + std::to_string(N) + "x" + std::to_string(K);
  }

  /// `a1` and so on.
  static std::string action_text(int action) { return cell_text(action, N); }
  /// The cell that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) { return parse_cell(text, M, N); }

  /// One line: the rows from the top separated by `/`, then who is to move.
  std::string to_text() const { return format_board(board(), N); }

  /// The position that `to_text` writes so; empty for other text, for numbers of stones that do not fit the player
  /// to move, and where that player has K in a row already.
  static std::optional<mnk> from_text(std::string_view text) {
    auto const board = parse_board(text, M, N);
    if (!board || board->count('x') - board->count('o') != (board->x_to_move ? 0 : 1)) return std::nullopt;
    mnk position;
    for (int i = 0; i < num_cells; ++i) {
      char const c = board->cells[static_cast<std::size_t>(i)];
      if (c != '.') position.stones_[c == 'o'].set(i);
      position.ply_ = static_cast<std::uint16_t>(position.ply_ + (c != '.'));
    }
    if (in_a_row(position.stones_[position.ply_ & 1])) return std::nullopt;
    return position;
  }

  /// The board with its coordinates, a row a line, and who is to move.
  std::string draw() const { return draw_rectangle(board(), N); }

 private:
  using cells = bit_set<num_cells>;

  /// The cells of columns `first` to `last`.
  BATCHMATE_HD static constexpr cells columns(int first, int last) {
    cells set;
    for (int row = 0; row < M; ++row)
      for (int column = first; column <= last; ++column) set.set(row * N + column);
    return set;
  }

  /// The cells from which K stones follow each other at distance `step`.
  BATCHMATE_HD static constexpr cells lines(cells const& stones, int step) {
    cells line = stones;
    for (int i = 1; i < K; ++i) line = stones & line >> step;
    return line;
  }

  /// Whether K stones, or more, stand in a row. All cells are looked at side by side; what goes around the edge
  /// begins in columns where no line can.
  BATCHMATE_HD static constexpr bool in_a_row(cells const& stones) {
    constexpr cells from_left = columns(0, N - K), from_right = columns(K - 1, N - 1);
    cells const rightwards = (lines(stones, 1) | lines(stones, N + 1)) & from_left;
    cells const leftwards = lines(stones, N - 1) & from_right;
    return (rightwards | leftwards | lines(stones, N)).any();
  }

  board_text board() const { return text_of_stones(stones_[0], stones_[1], num_cells, (ply_ & 1) == 0); }

  cells stones_[2];        // by player, first `x`
  std::uint16_t ply_ = 0;  // stones on the board
};

/// Gomoku, free style: five or more in a row win on 15 x 15 cells.
using gomoku = mnk<15, 15, 5>;

static_assert(game_with_text<gomoku> && game_with_symmetries<gomoku> && game_with_key<gomoku>);

}  // namespace batchmate
