#include <batchmate/game/board_text.hpp>

#include <doctest/doctest.h>

namespace bm = batchmate;

TEST_CASE("a board is written row by row from the top") {
  CHECK(bm::format_board({"x.o...", true}, 3) == "x.o/... x");
  CHECK(bm::format_board({"x.o...", false}, 2) == "x./o./.. o");
}

TEST_CASE("a board is read back as it was written") {
  auto const board = bm::parse_board("x.o/... o", 2, 3);
  REQUIRE(board);
  CHECK(board->cells == "x.o...");
  CHECK_FALSE(board->x_to_move);
  CHECK(board->count('x') == 1);
  CHECK(board->count('.') == 4);
}

TEST_CASE("text that is no board is refused") {
  for (auto const* text :
       {"", "x", "x.o/...", "x.o/... ", "x.o/... X", "x.o/... x ", " x.o/... x", "x.o.... x", "x.O/... x",
        "x.o/..x x/", "x.o/...xx", "x./o... x", "x.o/.../... x", "///////// x"})
    CHECK_FALSE(bm::parse_board(text, 2, 3));
}

TEST_CASE("cells are named by column letter and row number") {
  CHECK(bm::cell_text(0, 13) == "a1");
  CHECK(bm::cell_text(12, 13) == "m1");
  CHECK(bm::cell_text(13, 13) == "a2");
  CHECK(bm::cell_text(168, 13) == "m13");
  for (int cell = 0; cell < 361; ++cell) CHECK(bm::parse_cell(bm::cell_text(cell, 19), 19, 19) == cell);
}

TEST_CASE("names outside the board are refused") {
  for (auto const* text :
       {"", "a", "1", "a0", "a01", "a14", "n1", "A1", "a-1", "a1 ", " a1", "a1b", "a111", "`1", "11"})
    CHECK_FALSE(bm::parse_cell(text, 13, 13));
}
