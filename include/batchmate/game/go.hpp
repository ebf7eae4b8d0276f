#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/game/concepts.hpp>
#include <batchmate/game/go_board.hpp>
#include <batchmate/game/rectangle.hpp>
#include <batchmate/game/sgf.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// Go on N x N points, 1 <= N <= 19, by the Tromp-Taylor rules (tromp.github.io/go.html): `x`, black, begins;
/// area scoring, komi to white; no move but a pass may lead to stones that were on the board before, whoever
/// was to move then (positional superko); a move may take its own chain off the board, which for a single
/// stone the superko rule forbids, as nothing would have changed. Two passes in a row end the game, and so
/// does ply `max_plies`: it is then scored as it stands, all stones counted alive.
///
/// Actions are the points, row * N + column from the top left, written `a1` (top left) on, then the `pass`.
/// Superko is checked exactly; see `go_history`. How a game goes on depends on all boards it has had, so Go
/// declares no `key()`: two orders of the same moves are two positions.
template <int N>
class go {
  static_assert(N >= 1 && N <= 19, "batchmate::go: N must be 1 to 19");

 public:
  static constexpr int num_cells = N * N;               ///< points of the board
  static constexpr int num_actions = num_cells + 1;     ///< the points, then the pass
  static constexpr int pass = num_cells;                ///< the action that passes
  static constexpr int num_symmetries = 8;              ///< those of `rectangle_cell`
  static constexpr sgf_format sgf = sgf_format::go(N);  ///< how its games are written in SGF
  /// Planes: 0 own stones; 1 opponent's; 2 own in chains with one liberty, 3 with two; 4 opponent's with one, 5 with
  /// two; 6 empty points where the player may not place a stone; 7 the point played last, empty after a pass.
  static constexpr shape input{8, N, N};
  /// Komi as the player to move gains from it, in tens of points; 1 after a pass, else 0.
  static constexpr int num_globals = 2;
  /// Twice the points, and room for long fights over small boards.
  static constexpr int max_plies = std::max(2 * num_cells, 72);

  /// The empty board, komi 7.5.
  constexpr go() = default;

  /// The empty board with another komi, in points. Throws `contract_error` unless it is a multiple of a half
  /// from -400 to 400.
  static go with_komi(double points) {
    double const doubled = 2 * points;
    expects(std::abs(doubled) <= 2 * most_komi && doubled == std::floor(doubled),
            "go: komi must be a multiple of 0.5 from -", most_komi, " to ", most_komi, ", got ", points);
    go position;
    position.half_komi_ = static_cast<std::int16_t>(doubled);
    return position;
  }

  /// Points that white is given.
  constexpr double komi() const { return half_komi_ / 2.0; }
  /// Plies played so far.
  constexpr int ply() const { return history_.ply(); }
  /// Who is to move: 0 for black.
  constexpr int player() const { return history_.player(history_.ply()); }

  /// The points where a stone may be placed, and the pass.
  constexpr action_set<num_actions> legal_actions() const {
    cells const points = placeable();
    action_set<num_actions> legal;
    for (int w = 0; w < cells::num_words; ++w) legal.words[w] = points.words[w];
    legal.set(pass);
    return legal;
  }

  /// Places a stone of the player to move, or passes.
  constexpr void play(int action) {
    int const mover = player();
    cells taken;
    retake_ = none;
    if (action != pass) {
      taken = board_.place(mover, action);
      bool const stayed = board_.stones[mover].test(action);
      lost_[stayed ? 1 - mover : mover] |= taken;
      if (stayed && taken.any()) find_retake(mover, action, taken);
    }
    passes_ = action == pass ? static_cast<std::uint8_t>(passes_ + 1) : std::uint8_t{0};
    history_.add(action, board_);
  }

  /// By area, for the player to move, once two players have passed in a row or `max_plies` have been played.
  constexpr std::optional<float> result() const {
    if (passes_ < 2 && ply() < max_plies) return std::nullopt;
    int const black = 2 * board_.area_lead() - half_komi_, lead = player() == 0 ? black : -black;
    return lead > 0 ? win : lead < 0 ? loss : batchmate::draw;
  }

  /// Points by which black is ahead, komi taken off, if the game ended as it stands.
  constexpr double black_lead() const { return board_.area_lead() - komi(); }

  /// The planes that `input` lists.
  constexpr void encode(plane_bits<input>& planes) const {
    int const mover = player();
    cells sets[8] = {board_.stones[mover], board_.stones[1 - mover]};
    board_.short_of_liberties(mover, sets[2], sets[3]);
    board_.short_of_liberties(1 - mover, sets[4], sets[5]);
    sets[6] = board_.empty() & ~placeable();
    if (ply() > 0 && passes_ == 0) sets[7].set(history_.played(ply() - 1));
    for (int plane = 0; plane < 8; ++plane) planes.assign(plane, sets[plane]);
  }

  /// The numbers that `num_globals` lists.
  constexpr void encode_globals(float* out) const {
    out[0] = static_cast<float>(player() == 0 ? -half_komi_ : half_komi_) / 20;
    out[1] = passes_ > 0 ? 1.0f : 0.0f;
  }

  /// Where a symmetry takes a point.
  static constexpr int symmetric_cell(int symmetry, int cell) { return rectangle_cell(symmetry, cell, N, N); }
  /// Where a symmetry takes an action: as its point; the pass stays.
  static constexpr int symmetric_action(int symmetry, int action) {
    return action < num_cells ? symmetric_cell(symmetry, action) : action;
  }

  /// `go9`
  static std::string name() { return "go" + std::to_string(N); }

  /// `a1` and so on, or `pass`.
  static std::string action_text(int action) { return action == pass ? "pass" : cell_text(action, N); }
  /// The action that `action_text` writes so, or empty.
  static std::optional<int> parse_action(std::string_view text) {
    if (text == "pass") return pass;
    return parse_cell(text, N, N);
  }

  /// One line that keeps all the game was: the board before the first move, row by row from the top, who moves
  /// first, komi, and the moves. A move on 3 x 3 points: `.../.../... x 7.5 b2`.
  std::string to_text() const {
    std::string text = format_board(board_of(history_.first(), history_.player(0)), N) + ' ' + komi_text();
    for (int i = 0; i < ply(); ++i) text += ' ' + action_text(history_.played(i));
    return text;
  }

  /// The position that `to_text` writes so; empty for other text, for a first board with a chain without liberties,
  /// and for moves that are not legal or come after the end. Written without moves, a board has no past: no
  /// other board is forbidden.
  static std::optional<go> from_text(std::string_view text) {
    constexpr auto board_length = static_cast<std::size_t>(N * (N + 1) + 1);
    auto const board = parse_board(text.substr(0, board_length), N, N);
    if (!board || text.size() <= board_length || text[board_length] != ' ') return std::nullopt;
    text.remove_prefix(board_length + 1);
    auto const komi = parse_komi(take_word(text));
    if (!komi) return std::nullopt;
    go position;
    for (int i = 0; i < num_cells; ++i)
      if (char const c = board->cells[static_cast<std::size_t>(i)]; c != '.')
        position.board_.add(c == 'o', i);
    if (!position.board_.all_have_liberties()) return std::nullopt;
    position.half_komi_ = *komi;
    position.history_ = {position.board_, board->x_to_move ? 0 : 1};
    while (!text.empty()) {
      text.remove_prefix(1);  // the space
      auto const action = parse_action(take_word(text));
      if (!action || position.result() || !position.legal_actions().test(*action)) return std::nullopt;
      position.play(*action);
    }
    return position;
  }

  /// The board with its coordinates, a row a line, who is to move, and komi.
  std::string draw() const {
    std::string text = draw_rectangle(board_of(board_, player()), N);
    text.insert(text.size() - 1, ", komi " + komi_text());
    return text;
  }

 private:
  using cells = bit_set<num_cells>;
  static constexpr int most_komi = 400;
  static constexpr std::uint16_t none = num_cells;

  /// The empty points where the player to move may place a stone.
  constexpr cells placeable() const {
    int const mover = player();
    cells points = board_.empty();
    if (retake_ != none) points.reset(retake_);
    // A stone leads to an old board only if one like it was lost there, or if it takes its own chain off.
    cells const quiet = board_.surely_quiet(mover), enclosed = points & ~go_board<N>::spread(board_.empty());
    (points & quiet & lost_[mover]).for_each([&](int cell) {
      if (history_.may_hold(board_.hash_with(mover, cell)) && repeats(mover, cell)) points.reset(cell);
    });
    (points & ~quiet & (enclosed | lost_[mover])).for_each([&](int cell) {
      if (repeats(mover, cell)) points.reset(cell);
    });
    return points;
  }

  /// Whether a stone on an empty point leads to a board that has been there.
  constexpr bool repeats(int mover, int cell) const {
    go_board<N> next = board_;
    next.place(mover, cell);
    return next == board_ || history_.holds(next);
  }

  /// If a lone stone has captured a lone stone and has no liberty but that, taking it back leads to the board before:
  /// no need to search for that one.
  constexpr void find_retake(int mover, int action, cells const& taken) {
    cells const around = go_board<N>::spread(cells::only(action));
    if (taken.count() == 1 && (around & board_.stones[mover]).none() && (around & board_.empty()) == taken)
      retake_ = static_cast<std::uint16_t>(taken.first());
  }

  static board_text board_of(go_board<N> const& board, int mover) {
    return text_of_stones(board.stones[0], board.stones[1], num_cells, mover == 0);
  }

  std::string komi_text() const { return half_points_text(half_komi_); }

  /// Half points, empty unless written as `komi_text` does.
  static std::optional<std::int16_t> parse_komi(std::string_view text) {
    auto const half_points = parse_half_points(text);
    if (!half_points || std::abs(*half_points) > 2 * most_komi) return std::nullopt;
    if (half_points_text(*half_points) != text) return std::nullopt;  // one text a position
    return static_cast<std::int16_t>(*half_points);
  }

  /// Cuts what stands before the next space, or everything, off the text.
  static std::string_view take_word(std::string_view& text) {
    std::string_view const word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
  }

  go_board<N> board_;
  cells lost_[2];  // by player, where a stone of that player has been taken off
  go_history<N, max_plies> history_;
  std::int16_t half_komi_ = 15;
  std::uint16_t retake_ = none;  // a point where the player to move would take back a stone taken just now
  std::uint8_t passes_ = 0;      // in a row, the last plies
};

static_assert(game_with_text<go<9>> && game_with_symmetries<go<9>> && game_with_globals<go<9>>);

using go9 = go<9>;    ///< 9 x 9 points
using go13 = go<13>;  ///< 13 x 13 points
using go19 = go<19>;  ///< 19 x 19 points

}  // namespace batchmate
