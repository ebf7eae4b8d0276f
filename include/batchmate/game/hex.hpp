#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/board_text.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/game/sgf.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// Hex on N x N cells. The first player, `x`, connects the top row with the bottom row, the second, `o`, the
/// left column with the right one. Cell (r, c) touches (r, c - 1), (r, c + 1), (r - 1, c), (r - 1, c + 1), (r
/// + 1, c - 1) and (r + 1, c). There are no draws.
///
/// Actions are the cells, r * N + c, written `a1`: a letter for the column, a number for the row, 1 at the top. With
/// Swap, one more action, `swap`, is legal at ply 1 only: the second player takes the stone over as its own, on the
/// cell reflected across the main diagonal, (r, c) to (c, r), and the first player is to move.
///
/// Beside the stones a position keeps, for each player, those connected to the edge it starts from (top,
/// left), so that a move costs six neighbours, and a flood only where it connects a group that was not.
template <int N, bool Swap = false>
class hex {
  static_assert(N >= 1 && N <= 19, "batchmate::hex: N must be 1 to 19");

 public:
  static constexpr int num_cells = N * N;                ///< cells of the board
  static constexpr int num_actions = num_cells + Swap;   ///< the cells, then the swap
  static constexpr int swap_action = Swap ? N * N : -1;  ///< the action that swaps, -1 if there is none
  static constexpr shape input{3, N, N};  ///< own stones, opponent's, and a plane all set if `x` is to move
  static constexpr int max_plies = num_actions;                ///< the full board
  static constexpr int num_symmetries = 2;                     ///< as it is, turned by 180 degrees
  static constexpr sgf_format sgf = sgf_format::hex(N, Swap);  ///< how its games are written in SGF

  /// The empty cells, and the swap at ply 1.
  BATCHMATE_HD constexpr action_set<num_actions> legal_actions() const {
    cells const empty = ~(stones_[0] | stones_[1]);
    action_set<num_actions> legal;
    for (int w = 0; w < cells::num_words; ++w) legal.words[w] = empty.words[w];
    if constexpr (Swap)
      if (ply_ == 1) legal.set(swap_action);
    return legal;
  }

  /// Puts a stone of the player to move on an empty cell, or swaps.
  BATCHMATE_HD constexpr void play(int action) {
    if constexpr (Swap)
      if (action == swap_action) return take_over();
    int const player = ply_++ & 1, row = action / N, column = action % N;
    int const distance = player ? column : row;  // from the edge that the player starts from
    stones_[player].set(action);
    std::uint64_t const linked = touching(linked_[player], action, column);
    if (distance != 0 && linked == 0) return;
    linked_[player].set(action);
    won_ = distance == N - 1;
    if (touching(stones_[player], action, column) != linked) flood(player, cells::only(action));
  }

  /// A loss for the player to move once the opponent has connected its edges.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if (won_) return loss;
    return std::nullopt;
  }

  /// Own stones to plane 0, the opponent's to plane 1; plane 2 is full if the player to move connects top and bottom.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    int const player = ply_ & 1;
    planes.assign(0, stones_[player]);
    planes.assign(1, stones_[1 - player]);
    if (player == 0) planes.fill(2);
  }

  /// A number that depends on the stones and the player to move; distinct positions share one with chance 2^-64.
  BATCHMATE_HD constexpr std::uint64_t key() const {
    std::uint64_t sum = ply_ & 1, salt = 0;
    for (cells const& stones : stones_)
      for (std::uint64_t word : stones.words) sum += mix_bits(word ^ (salt += 0x9e3779b97f4a7c15));
    return mix_bits(sum);
  }

  /// Where a symmetry takes a cell, r * N + c.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    return symmetry ? num_cells - 1 - cell : cell;
  }
  /// Where a symmetry takes an action: as its cell; the swap stays.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    return action < num_cells ? symmetric_cell(symmetry, action) : action;
  }

  /// Plies played so far; even: `x` is to move.
  BATCHMATE_HD constexpr int ply() const { return ply_; }

  /// `hex13`, or `hex13-swap`.
  static std::string name() { return "hex" + std::to_string(N) + (Swap ? "-swap" : ""); }

  /// `a1` and so on, or `swap`.
  static std::string action_text(int action) { return action == swap_action ? "swap" : cell_text(action, N); }
  /// The action that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) {
    if (Swap && text == "swap") return swap_action;
    return parse_cell(text, N, N);
  }

  /// One line: the rows from the top separated by `/`, then who is to move.
  std::string to_text() const { return format_board(board(), N); }

  /// The position that `to_text` writes so; empty for other text, for numbers of stones that do not fit the
  /// player to move, and where that player has connected its edges already.
  static std::optional<hex> from_text(std::string_view text) {
    auto const board = parse_board(text, N, N);
    if (!board) return std::nullopt;
    int const ahead = board->count('x') - board->count('o'), stones = num_cells - board->count('.');
    bool const straight = ahead == (board->x_to_move ? 0 : 1);
    bool const swapped = Swap && stones > 0 && ahead == (board->x_to_move ? -1 : 0);
    if (!straight && !swapped) return std::nullopt;
    hex position;
    position.ply_ = static_cast<std::uint16_t>(stones + swapped);
    for (int i = 0; i < num_cells; ++i) {
      char const c = board->cells[static_cast<std::size_t>(i)];
      if (c != '.') position.stones_[c == 'o'].set(i);
    }
    int const mover = position.ply_ & 1;
    position.link_all(mover);
    if (position.won_) return std::nullopt;
    position.link_all(1 - mover);
    return position;
  }

  /// The slanted board with its coordinates, a row a line, and who is to move.
  std::string draw() const {
    board_text const b = board();
    std::string letters, text;
    for (int column = 0; column < N; ++column) letters += {' ', static_cast<char>('a' + column)};
    text = "  " + letters + "\n";
    for (int row = 0; row < N; ++row) {
      std::string const number = std::to_string(row + 1);
      text += std::string(static_cast<std::size_t>(row) + 2 - number.size(), ' ') + number;
      for (int column = 0; column < N; ++column) {
        text += ' ';
        text += b.cells[static_cast<std::size_t>(row * N + column)];
      }
      text += "  " + number + "\n";
    }
    text += std::string(N + 2, ' ') + letters + "\n";
    return text + (b.x_to_move ? "x (top to bottom)" : "o (left to right)") + " to move\n";
  }

 private:
  using cells = bit_set<num_cells>;

  /// The cells of one column, and those of one row.
  BATCHMATE_HD static constexpr cells column_cells(int column) {
    cells set;
    for (int row = 0; row < N; ++row) set.set(row * N + column);
    return set;
  }
  BATCHMATE_HD static constexpr cells row_cells(int row) {
    cells set;
    for (int column = 0; column < N; ++column) set.set(row * N + column);
    return set;
  }

  /// The members of `set` that touch a cell: cell - N + i is bit i. All six lie within 2N + 1 <= 39 bits.
  BATCHMATE_HD static constexpr std::uint64_t touching(cells const& set, int cell, int column) {
    constexpr std::uint64_t one = 1, right = one << 1 | one << (N + 1),
                            left = one << (N - 1) | one << (2 * N - 1);
    std::uint64_t around = one | one << (2 * N);
    if (column != 0) around |= left;
    if (column != N - 1) around |= right;
    int const from = cell - N;
    if (from < 0) return set.words[0] << -from & around;
    std::uint64_t window = set.words[from >> 6] >> (from & 63);
    if ((from >> 6) + 1 < cells::num_words) window |= set.words[(from >> 6) + 1] << 1 << (63 - (from & 63));
    return window & around;
  }

  /// The cells that touch a cell of `set`, and perhaps cells of `set`.
  BATCHMATE_HD static constexpr cells spread(cells const& set) {
    constexpr cells not_first = ~column_cells(0), not_last = ~column_cells(N - 1);
    cells const right = (set & not_last) << 1, left = (set & not_first) >> 1;
    return left | right | (set | left) << N | (set | right) >> N;
  }

  /// Links what the player's stones in `frontier`, linked already, reach.
  BATCHMATE_HD constexpr void flood(int player, cells frontier) {
    cells linked = linked_[player], loose = stones_[player] & ~linked;
    for (;;) {
      frontier = spread(frontier) & loose;
      if (frontier.none()) break;
      linked |= frontier;
      loose &= ~frontier;
    }
    linked_[player] = linked;
    constexpr cells bottom = row_cells(N - 1), right = column_cells(N - 1);
    won_ = (linked & (player ? right : bottom)).any();
  }

  /// Finds the player's linked stones anew.
  BATCHMATE_HD constexpr void link_all(int player) {
    constexpr cells top = row_cells(0), left = column_cells(0);
    linked_[player] = stones_[player] & (player ? left : top);
    flood(player, linked_[player]);
  }

  /// The second player's answer to the first stone under the swap rule.
  BATCHMATE_HD constexpr void take_over() {
    int const cell = stones_[0].first();
    hex swapped;
    swapped.ply_ = 2;
    swapped.stones_[1].set(cell % N * N + cell / N);
    swapped.link_all(1);
    *this = swapped;
  }

  board_text board() const { return text_of_stones(stones_[0], stones_[1], num_cells, (ply_ & 1) == 0); }

  cells stones_[2];        // by player, first `x`
  cells linked_[2];        // of those, the ones connected to the top (x), to the left (o)
  std::uint16_t ply_ = 0;  // a swap counts
  bool won_ = false;       // whether the player who just moved has connected its edges
};

static_assert(game_with_text<hex<13>> && game_with_symmetries<hex<13>> && game_with_key<hex<13>>);

using hex7 = hex<7>;    ///< 7 x 7 cells, no swap
using hex9 = hex<9>;    ///< 9 x 9 cells, no swap
using hex11 = hex<11>;  ///< 11 x 11 cells, no swap
using hex13 = hex<13>;  ///< 13 x 13 cells, no swap

}  // namespace batchmate
