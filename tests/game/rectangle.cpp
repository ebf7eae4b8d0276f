#include <batchmate/game/rectangle.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>

namespace bm = batchmate;

namespace {

/// The cells of a board of letters, moved by a symmetry.
std::string moved(std::string const& board, int symmetry, int rows, int columns) {
  std::string out(board.size(), '?');
  for (int cell = 0; cell < rows * columns; ++cell)
    out[static_cast<std::size_t>(bm::rectangle_cell(symmetry, cell, rows, columns))] =
        board[static_cast<std::size_t>(cell)];
  return out;
}

}  // namespace

TEST_CASE("a square board has eight symmetries: turned right by quarters, after a reflection from 4 on") {
  CHECK(bm::rectangle_symmetries(3, 3) == 8);
  char const* const expected[8] = {"abcdefghi", "gdahebifc", "ihgfedcba", "cfibehadg",
                                   "cbafedihg", "ifchebgda", "ghidefabc", "adgbehcfi"};
  for (int s = 0; s < 8; ++s) CHECK(moved("abcdefghi", s, 3, 3) == expected[s]);
}

TEST_CASE("another rectangular board has four symmetries") {
  CHECK(bm::rectangle_symmetries(2, 3) == 4);
  char const* const expected[4] = {"abcdef", "fedcba", "cbafed", "defabc"};
  for (int s = 0; s < 4; ++s) CHECK(moved("abcdef", s, 2, 3) == expected[s]);
}

TEST_CASE("the symmetries of a board differ, and two in a row are a third") {
  for (auto [rows, columns] : {std::pair{4, 4}, {3, 5}}) {
    std::string letters =
        std::string("abcdefghijklmnopq").substr(0, static_cast<std::size_t>(rows * columns));
    std::set<std::string> boards;
    int const symmetries = bm::rectangle_symmetries(rows, columns);
    for (int s = 0; s < symmetries; ++s) boards.insert(moved(letters, s, rows, columns));
    CHECK(boards.size() == static_cast<std::size_t>(symmetries));
    for (auto const& board : std::set(boards))
      for (int s = 0; s < symmetries; ++s) boards.insert(moved(board, s, rows, columns));
    CHECK(boards.size() == static_cast<std::size_t>(symmetries));
  }
}

TEST_CASE("a board is drawn with its coordinates") {
  CHECK(bm::draw_rectangle({"x.o...", true}, 3) == "  a b c\n1 x . o\n2 . . .\nx to move\n");
  std::string const drawn = bm::draw_rectangle({std::string(20, '.'), false}, 2);
  CHECK(drawn.starts_with("   a b\n 1 . .\n"));
  CHECK(drawn.ends_with("\n 9 . .\n10 . .\no to move\n"));
}
