#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/game/board_text.hpp>
#include <batchmate/game/concepts.hpp>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchmate {

/// How a game's moves are written in SGF, the Smart Game Format (version FF[4]; red-bean.com/sgf). Black moves
/// first, then the players alternate.
struct sgf_format {
  int game = 1;      ///< the game's number, property GM
  int columns = 19;  ///< at most 26
  int rows = 19;     ///< at most 26
  int pass = -1;     ///< the action written as an empty move; -1: there is none
  int swap = -1;     ///< the action written `swap-pieces`; -1: there is none
  /// A point is two letters, column and row, `a` at the left and the top; else it is as `cell_text` has it.
  bool letters = true;

  /// Go on n x n points; the pass is action n * n.
  static constexpr sgf_format go(int n) { return {1, n, n, n * n, -1, true}; }
  /// Othello, whose pass is action 64. The format leaves open how its moves are written: here as everywhere, `d3`.
  static constexpr sgf_format othello() { return {2, 8, 8, 64, -1, false}; }
  /// Gomoku, and other games of n in a row.
  static constexpr sgf_format gomoku(int rows, int columns) { return {4, columns, rows, -1, -1, true}; }
  /// Hex on n x n cells, black from top to bottom; with the swap, that is action n * n. It takes the stone over on the
  /// cell reflected across the main diagonal.
  static constexpr sgf_format hex(int n, bool swap = false) {
    return {11, n, n, -1, swap ? n * n : -1, false};
  }

  friend constexpr bool operator==(sgf_format const&, sgf_format const&) = default;
};

/// A game with text and `static constexpr sgf_format sgf`, whose other actions are the cells, row by row from the top.
template <class G>
concept game_with_sgf = game_with_text<G> && std::convertible_to<decltype(G::sgf), sgf_format>;

/// One game as SGF tells it. All but the format and the actions may be empty.
struct sgf_record {
  sgf_format format{};           ///< of which game
  std::vector<int> actions;      ///< from the game's usual first position
  std::string result;            ///< RE: `B+3.5`, `W+`, `0` for a draw
  std::optional<int> half_komi;  ///< KM, in half points
  std::string black, white;      ///< PB and PW, the players' names
  std::string rules;             ///< RU

  friend bool operator==(sgf_record const&, sgf_record const&) = default;
};

/// A number of points, given in halves: `7.5`, `-3`.
inline std::string half_points_text(int halves) {
  int const whole = std::abs(halves) / 2;
  return (halves < 0 ? "-" : "") + std::to_string(whole) + (halves % 2 != 0 ? ".5" : "");
}

/// The number of halves in a decimal number such as `7.5`, `6.50` or `-3`; empty for other text, for what is no multiple
/// of a half, and beyond 10,000 points.
inline std::optional<int> parse_half_points(std::string_view text) {
  bool const negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::string_view const whole = text.substr(0, text.find('.'));
  if (whole.empty() || whole.size() > 5 || text.size() > 16) return std::nullopt;
  int points = 0;
  auto const [end, fault] = std::from_chars(whole.data(), whole.data() + whole.size(), points);
  if (fault != std::errc() || end != whole.data() + whole.size() || points < 0 || points > 10000)
    return std::nullopt;
  int halves = 2 * points;
  if (whole.size() < text.size()) {
    std::string_view const fraction = text.substr(whole.size() + 1);
    if (fraction.empty() || fraction.find_first_not_of('0', 1) != fraction.npos) return std::nullopt;
    if (fraction[0] != '0' && fraction[0] != '5') return std::nullopt;
    halves += fraction[0] == '5';
  }
  return negative ? -halves : halves;
}

/// A move as the value of property B or W, without the brackets: `dd`, `d4`, nothing for a pass.
inline std::string sgf_move(sgf_format const& format, int action) {
  if (action == format.pass) return "";
  if (action == format.swap) return "swap-pieces";
  if (!format.letters) return cell_text(action, format.columns);
  return {static_cast<char>('a' + action % format.columns), static_cast<char>('a' + action / format.columns)};
}

/// The action that such a value stands for; also `tt` for the pass of a board up to 19 x 19, and capital letters where
/// rows have numbers. Empty for others.
inline std::optional<int> parse_sgf_move(sgf_format const& format, std::string_view text) {
  bool const old_pass = text == "tt" && format.letters && format.columns <= 19 && format.rows <= 19;
  if (format.pass >= 0 && (text.empty() || old_pass)) return format.pass;
  if (!format.letters) {
    std::string small(text);
    for (char& c : small)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (format.swap >= 0 && small == "swap-pieces") return format.swap;
    return parse_cell(small, format.rows, format.columns);
  }
  if (text.size() != 2) return std::nullopt;
  int const column = text[0] - 'a', row = text[1] - 'a';
  if (column < 0 || column >= format.columns || row < 0 || row >= format.rows) return std::nullopt;
  return row * format.columns + column;
}

/// Text as it may stand between brackets: brackets and backslashes escaped, control characters as spaces.
inline std::string sgf_text(std::string_view text) {
  std::string safe;
  for (char c : text) {
    if (c == ']' || c == '\\') safe += '\\';
    safe += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
  }
  return safe;
}

/// The game on one line, which ends with a newline. Games written one after the other are a collection.
inline std::string write_sgf(sgf_record const& record) {
  sgf_format const& format = record.format;
  auto const number = [](int n) { return std::to_string(n); };
  std::string text =
      "(;FF[4]GM[" + number(format.game) + "]CA[UTF-8]AP[batchmate]SZ[" + number(format.columns);
  if (format.rows != format.columns) text += ':' + number(format.rows);
  text += ']';
  auto const add = [&](char const* name, std::string const& value) {
    if (!value.empty()) text += std::string(name) + '[' + sgf_text(value) + ']';
  };
  add("RU", record.rules);
  if (record.half_komi) add("KM", half_points_text(*record.half_komi));
  add("PB", record.black);
  add("PW", record.white);
  add("RE", record.result);
  bool black = true;
  for (int action : record.actions) {
    text += (black ? ";B[" : ";W[") + sgf_move(format, action) + ']';
    black = !black;
  }
  return text + ")\n";
}

/// Where a record's moves lead from `position`, by default the usual first one. Throws `file_error` for a move that
/// is not legal, or comes after the end.
template <game_with_sgf G>
G replay_sgf(sgf_record const& record, G position = {}) {
  for (std::size_t i = 0; i < record.actions.size(); ++i) {
    int const action = record.actions[i];
    bool const over = position.result().has_value(), known = action >= 0 && action < G::num_actions;
    if (over || !known || !position.legal_actions().test(action)) {
      char const player = i % 2 == 0 ? 'B' : 'W';
      throw file_error(
          concat("sgf: move ", i + 1, ", ",
                 known ? concat(player, '[', sgf_move(G::sgf, action), ']') : concat("action ", action),
                 over ? ", comes after the end" : ", is not legal"));
    }
    position.play(action);
  }
  return position;
}

/// Whether games that begin here are SGF without stones that are set up: the usual first position, for a game with komi
/// with any.
template <game_with_sgf G>
bool is_usual_opening(G const& opening) {
  G usual;
  if constexpr (requires { G::with_komi(opening.komi()); }) usual = G::with_komi(opening.komi());
  return opening.to_text() == usual.to_text();
}

/// How a game ended, as property RE says it: `B+3.5` where it counts points, else `B+`; `0` for a draw. Black is who moves
/// first; `black_to_move` at the end.
template <game G>
std::string sgf_result(G const& last, bool black_to_move) {
  float const black = black_to_move ? last.result().value() : -last.result().value();
  std::string text = black == 0 ? "0" : black > 0 ? "B+" : "W+";
  if constexpr (requires { last.black_lead(); })
    if (black != 0) text += half_points_text(std::abs(static_cast<int>(2 * last.black_lead())));
  return text;
}

/// A game that was played from `opening`, the usual first position (for a game with komi, with any). The result is
/// told if the game is over, in points where the game counts them. Throws `contract_error` for another
/// opening, and as `replay_sgf` does.
template <game_with_sgf G>
sgf_record sgf_of(std::vector<int> actions, G const& opening = {}) {
  expects(is_usual_opening(opening), "sgf: games must begin from the usual position");
  sgf_record record;
  record.format = G::sgf;
  record.actions = std::move(actions);
  G const last = replay_sgf(record, opening);
  if constexpr (requires { opening.komi(); }) record.half_komi = static_cast<int>(2 * opening.komi());
  if (last.result()) record.result = sgf_result(last, record.actions.size() % 2 == 0);
  return record;
}

}  // namespace batchmate
