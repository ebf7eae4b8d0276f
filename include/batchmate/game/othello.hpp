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

/// Othello on 8 x 8 cells; `x`, black, begins. Actions are the cells, row * 8 + column from the top left, written
/// `a1` to `h8`, then the pass. A player passes when, and only when, it cannot place a disc and the opponent
/// can; the game is over when neither can, and the player with more discs has won.
class othello {
 public:
  static constexpr int num_actions = 65;                    ///< the cells, then the pass
  static constexpr int pass = 64;                           ///< the action that passes
  static constexpr shape input{2, 8, 8};                    ///< own discs, opponent's discs
  static constexpr sgf_format sgf = sgf_format::othello();  ///< how its games are written in SGF
  /// Number s: reflected across the diagonal a1 to h8 if s & 2, then turned by a half if s & 1.
  static constexpr int num_symmetries = 4;

  /// 60 discs, and a pass between any two: no player passes first, last, or after a pass.
  static constexpr int max_plies = 60 + 59;

  /// The cells where a disc turns others over, or else the pass; nothing once the game is over.
  BATCHMATE_HD constexpr action_set<num_actions> legal_actions() const {
    std::uint64_t const cells = moves(mine_, theirs_);
    return {{cells, cells == 0 && moves(theirs_, mine_) != 0}};
  }

  /// Places a disc of the player to move and turns over what lies between it and others of that player, or passes.
  BATCHMATE_HD constexpr void play(int action) {
    std::uint64_t const placed = action == pass ? 0 : std::uint64_t{1} << action;
    std::uint64_t const turned = flips(mine_, theirs_, placed);
    std::uint64_t const mine = mine_ | turned | placed;
    mine_ = theirs_ & ~turned;
    theirs_ = mine;
    x_to_move_ = !x_to_move_;
  }

  /// Once neither player can place a disc: a win for the player to move if it has more of them, a draw if both have
  /// the same number.
  BATCHMATE_HD constexpr std::optional<float> result() const {
    if (moves(mine_, theirs_) != 0 || moves(theirs_, mine_) != 0) return std::nullopt;
    int const ahead = bit_set<64>::popcount(mine_) - bit_set<64>::popcount(theirs_);
    return ahead > 0 ? win : ahead < 0 ? loss : batchmate::draw;
  }

  /// Own discs to plane 0, the opponent's to plane 1.
  BATCHMATE_HD constexpr void encode(plane_bits<input>& planes) const {
    planes.words[0] = mine_;
    planes.words[1] = theirs_;
  }

  /// A number that depends on the discs as the player to move sees them, as the rest of the game does; distinct
  /// positions share one with chance 2^-64.
  BATCHMATE_HD constexpr std::uint64_t key() const {
    return mix_bits(mix_bits(mine_ + 0x9e3779b97f4a7c15) ^ theirs_);
  }

  /// Where a symmetry takes a cell, row * 8 + column. A quarter turn is none: it exchanges the colours of the
  /// start, so that no game reaches what it makes of another's positions.
  BATCHMATE_HD static constexpr int symmetric_cell(int symmetry, int cell) {
    if (symmetry & 2) cell = cell % 8 * 8 + cell / 8;
    return symmetry & 1 ? 63 - cell : cell;
  }
  /// Where a symmetry takes an action: as its cell; the pass stays.
  BATCHMATE_HD static constexpr int symmetric_action(int symmetry, int action) {
    return action == pass ? pass : symmetric_cell(symmetry, action);
  }

  /// `othello`
  static std::string name() { return "othello"; }

  /// `a1` to `h8`, or `pass`.
  static std::string action_text(int action) { return action == pass ? "pass" : cell_text(action, 8); }
  /// The action that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) {
    if (text == "pass") return pass;
    return parse_cell(text, 8, 8);
  }

  /// One line: the rows from the top separated by `/`, then who is to move.
  std::string to_text() const { return format_board(board(), 8); }

  /// The position that `to_text` writes so; empty for other text and where one of the four cells in the centre,
  /// which are never empty, is.
  static std::optional<othello> from_text(std::string_view text) {
    auto const board = parse_board(text, 8, 8);
    if (!board) return std::nullopt;
    std::uint64_t x = 0, o = 0;
    for (int i = 0; i < 64; ++i) {
      char const c = board->cells[static_cast<std::size_t>(i)];
      x |= std::uint64_t{c == 'x'} << i;
      o |= std::uint64_t{c == 'o'} << i;
    }
    constexpr std::uint64_t centre = 0x0000001818000000;
    if (~(x | o) & centre) return std::nullopt;
    othello position;
    position.mine_ = board->x_to_move ? x : o;
    position.theirs_ = board->x_to_move ? o : x;
    position.x_to_move_ = board->x_to_move;
    return position;
  }

  /// The board with its coordinates, a row a line, and who is to move.
  std::string draw() const { return draw_rectangle(board(), 8); }

  /// Discs of the player to move and of the opponent.
  BATCHMATE_HD constexpr int discs() const { return bit_set<64>::popcount(mine_); }
  BATCHMATE_HD constexpr int opponent_discs() const { return bit_set<64>::popcount(theirs_); }
  /// Discs by which black is ahead.
  BATCHMATE_HD constexpr int black_lead() const {
    return x_to_move_ ? discs() - opponent_discs() : opponent_discs() - discs();
  }

 private:
  // The eight directions are four axes, up and down each.
  static constexpr int axes = 4, vertical = 2;

  /// How far apart neighbours on an axis are: 1, 7, 8 or 9.
  BATCHMATE_HD static constexpr int step(int axis) { return axis == 0 ? 1 : 6 + axis; }

  /// The cells that can lie between two others on an axis, as far as the sides of the board go.
  BATCHMATE_HD static constexpr std::uint64_t between(int axis) {
    return axis == vertical ? ~std::uint64_t{0} : 0x7e7e7e7e7e7e7e7e;
  }

  /// Unbroken discs on one axis, upwards and downwards in the order of cells.
  struct runs {
    std::uint64_t up, down;
  };

  /// The discs of `theirs` that follow a cell of `from` without a gap. Runs, of six at most, grow by doubling (Kogge
  /// and Stone's prefix scheme).
  BATCHMATE_HD static constexpr runs runs_behind(std::uint64_t from, std::uint64_t theirs, int axis) {
    int const s = step(axis);
    std::uint64_t const inner = theirs & between(axis);
    std::uint64_t const inner_up = inner & inner << s, inner_down = inner & inner >> s;
    runs r{inner & from << s, inner & from >> s};
    r.up |= inner & r.up << s;
    r.down |= inner & r.down >> s;
    r.up |= inner_up & r.up << 2 * s;
    r.down |= inner_down & r.down >> 2 * s;
    r.up |= inner_up & r.up << 2 * s;
    r.down |= inner_down & r.down >> 2 * s;
    return r;
  }

  /// The empty cells at the end of a run of `theirs` that begins at a disc of `mine`.
  BATCHMATE_HD static constexpr std::uint64_t moves(std::uint64_t mine, std::uint64_t theirs) {
    std::uint64_t ends = 0;
    for (int axis = 0; axis < axes; ++axis) {
      runs const r = runs_behind(mine, theirs, axis);
      ends |= r.up << step(axis) | r.down >> step(axis);
    }
    return ends & ~(mine | theirs);
  }

  /// The discs of `theirs` between the one placed and others of `mine`; none if nothing is placed.
  BATCHMATE_HD static constexpr std::uint64_t flips(std::uint64_t mine, std::uint64_t theirs,
                                                    std::uint64_t placed) {
    std::uint64_t turned = 0;
    for (int axis = 0; axis < axes; ++axis) {
      runs const r = runs_behind(placed, theirs, axis);
      turned |= (mine & r.up << step(axis)) != 0 ? r.up : 0;
      turned |= (mine & r.down >> step(axis)) != 0 ? r.down : 0;
    }
    return turned;
  }

  board_text board() const {
    board_text b{std::string(64, '.'), x_to_move_};
    for (int i = 0; i < 64; ++i) {
      if (mine_ >> i & 1) b.cells[static_cast<std::size_t>(i)] = x_to_move_ ? 'x' : 'o';
      if (theirs_ >> i & 1) b.cells[static_cast<std::size_t>(i)] = x_to_move_ ? 'o' : 'x';
    }
    return b;
  }

  std::uint64_t mine_ = 0x0000000810000000;    // discs of the player to move; e4 and d5 at the start
  std::uint64_t theirs_ = 0x0000001008000000;  // discs of the other player; d4 and e5
  bool x_to_move_ = true;
};

static_assert(game_with_text<othello> && game_with_symmetries<othello> && game_with_key<othello>);

}  // namespace batchmate
