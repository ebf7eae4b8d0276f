#pragma once

#include <batchmate/core/macros.hpp>
#include <batchmate/game/board_text.hpp>

#include <string>

namespace batchmate {

/// How many symmetries a rectangular board has: 8 if it is square, else 4.
constexpr int rectangle_symmetries(int rows, int columns) { return rows == columns ? 8 : 4; }

/// Where a symmetry of a rectangular board takes a cell, row * columns + column. On a square board its number is
/// 4 * mirrored + turns: mirrored left to right first, then turned right by quarters; on others
/// 2 * mirrored + turns, by halves. Number 0 is the identity.
BATCHMATE_HD constexpr int rectangle_cell(int symmetry, int cell, int rows, int columns) {
  bool const square = rows == columns;
  int row = cell / columns, column = cell % columns;
  if (symmetry & (square ? 4 : 2)) column = columns - 1 - column;
  int const quarters = square ? symmetry & 3 : 2 * (symmetry & 1);
  if (quarters & 2) {
    row = rows - 1 - row;
    column = columns - 1 - column;
  }
  if (quarters & 1) {
    int const turned = rows - 1 - row;
    row = column;
    column = turned;
  }
  return row * columns + column;
}

/// The board over several lines: letters over its columns, 26 at most, a number before each row, 1 at the top,
/// and who is to move.
inline std::string draw_rectangle(board_text const& board, int columns) {
  int const cells = static_cast<int>(board.cells.size());
  std::size_t const width = std::to_string(cells / columns).size();
  std::string text(width, ' ');
  for (int column = 0; column < columns; ++column) text += {' ', static_cast<char>('a' + column)};
  for (int cell = 0; cell < cells; ++cell) {
    if (cell % columns == 0) {
      std::string const number = std::to_string(cell / columns + 1);
      text += '\n' + std::string(width - number.size(), ' ') + number;
    }
    text += {' ', board.cells[static_cast<std::size_t>(cell)]};
  }
  return text + '\n' + (board.x_to_move ? "x" : "o") + " to move\n";
}

}  // namespace batchmate
