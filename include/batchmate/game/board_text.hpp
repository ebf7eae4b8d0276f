#pragma once

#include <batchmate/core/planes.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace batchmate {

/// A board as people write it: a character a cell, `x` for the first player, `o` for the second, `.` for empty.
struct board_text {
  std::string cells;       ///< (rows * columns), row by row from the top
  bool x_to_move = true;   ///< whether the first player is to move
  int count(char c) const  ///< how many cells hold `c`
  {
    int n = 0;
    for (char cell : cells) n += cell == c;
    return n;
  }
};

/// The text of a board whose players' stones are two sets of its cells.
template <class Cells>
board_text text_of_stones(Cells const& x, Cells const& o, int num_cells, bool x_to_move) {
  board_text board{std::string(static_cast<std::size_t>(num_cells), '.'), x_to_move};
  for (int i = 0; i < num_cells; ++i)
    if (x.test(i) || o.test(i)) board.cells[static_cast<std::size_t>(i)] = x.test(i) ? 'x' : 'o';
  return board;
}

/// One line: the rows from the top, separated by `/`, then a space and who is to move, `x` or `o`.
inline std::string format_board(board_text const& board, int columns) {
  std::string text;
  for (int i = 0; i < static_cast<int>(board.cells.size()); ++i) {
    if (i > 0 && i % columns == 0) text += '/';
    text += board.cells[static_cast<std::size_t>(i)];
  }
  return text + (board.x_to_move ? " x" : " o");
}

/// The inverse of `format_board`; empty unless every character is as it writes it.
inline std::optional<board_text> parse_board(std::string_view text, int rows, int columns) {
  auto const length = static_cast<std::size_t>(rows * (columns + 1) + 1);
  if (text.size() != length) return std::nullopt;
  board_text board;
  for (std::size_t i = 0; i + 2 < length; ++i) {
    bool const separator = (static_cast<int>(i) + 1) % (columns + 1) == 0;
    if (separator ? text[i] != '/' : text[i] != '.' && text[i] != 'x' && text[i] != 'o') return std::nullopt;
    if (!separator) board.cells += text[i];
  }
  if (text[length - 2] != ' ' || (text[length - 1] != 'x' && text[length - 1] != 'o')) return std::nullopt;
  board.x_to_move = text[length - 1] == 'x';
  return board;
}

/// The name of a cell: a letter for the column, `a` leftmost, and a number for the row, 1 at the top: `a1`, `m13`.
inline std::string cell_text(int cell, int columns) {
  return static_cast<char>('a' + cell % columns) + std::to_string(cell / columns + 1);
}

/// The inverse of `cell_text`; empty for what names no cell of the board. Boards have at most 26 columns and 99 rows.
inline std::optional<int> parse_cell(std::string_view text, int rows, int columns) {
  if (text.size() < 2 || text.size() > 3) return std::nullopt;
  int const column = text[0] - 'a';
  if (column < 0 || column >= columns || text[1] == '0') return std::nullopt;
  int row = 0;
  for (char digit : text.substr(1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    row = row * 10 + (digit - '0');
  }
  if (row > rows) return std::nullopt;
  return (row - 1) * columns + column;
}

}  // namespace batchmate
