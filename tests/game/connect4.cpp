#include <batchmate/core/random.hpp>
#include <batchmate/game/connect4.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace bm = batchmate;

namespace {

/// Connect Four as a child would write it: a grid, and a look in every direction from the last stone.
struct plain_connect4 {
  std::array<std::array<char, 7>, 6> grid{};  // row 0 at the top; 0, 'x', 'o'
  char mover = 'x';
  bool won = false;
  int stones = 0;

  bool legal(int column) const { return grid[0][static_cast<std::size_t>(column)] == 0; }
  char at(int row, int column) const {
    if (row < 0 || row >= 6 || column < 0 || column >= 7) return 0;
    return grid[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
  }
  void play(int column) {
    int row = 5;
    while (at(row, column)) --row;
    grid[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] = mover;
    ++stones;
    for (auto [dr, dc] : {std::pair{0, 1}, {1, 0}, {1, 1}, {1, -1}}) {
      int length = 1;
      for (int i = 1; at(row + i * dr, column + i * dc) == mover; ++i) ++length;
      for (int i = 1; at(row - i * dr, column - i * dc) == mover; ++i) ++length;
      won = won || length >= 4;
    }
    mover = mover == 'x' ? 'o' : 'x';
  }
  bool over() const { return won || stones == 42; }
};

long perft(bm::connect4 const& position, int depth) {
  if (depth == 0) return 1;
  if (position.result()) return 0;
  long leaves = 0;
  position.legal_actions().for_each([&](int action) {
    auto next = position;
    next.play(action);
    leaves += perft(next, depth - 1);
  });
  return leaves;
}

long plain_perft(plain_connect4 const& position, int depth) {
  if (depth == 0) return 1;
  if (position.over()) return 0;
  long leaves = 0;
  for (int column = 0; column < 7; ++column) {
    if (!position.legal(column)) continue;
    auto next = position;
    next.play(column);
    leaves += plain_perft(next, depth - 1);
  }
  return leaves;
}

bm::connect4 after(std::string_view columns) {
  bm::connect4 position;
  for (char column : columns) position.play(column - '1');
  return position;
}

}  // namespace

TEST_CASE("connect four has the published number of move sequences to depth 9") {
  constexpr std::array<long, 10> published{1, 7, 49, 343, 2401, 16807, 117649, 823536, 5673234, 39394572};
  for (int depth = 0; depth <= 9; ++depth)
    CHECK(perft({}, depth) == published[static_cast<std::size_t>(depth)]);
}

TEST_CASE("a plain implementation counts the same move sequences") {
  for (int depth = 0; depth <= 7; ++depth) CHECK(perft({}, depth) == plain_perft({}, depth));
}

TEST_CASE("random games of connect four agree with a plain implementation at every ply") {
  bm::random_stream random(bm::random_key{11}.split(bm::purpose::test));
  int wins = 0, draws = 0;
  for (int g = 0; g < 3000; ++g) {
    bm::connect4 position;
    plain_connect4 plain;
    while (!plain.over()) {
      REQUIRE_FALSE(position.result());
      auto const legal = position.legal_actions();
      for (int column = 0; column < 7; ++column) REQUIRE(legal.test(column) == plain.legal(column));
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      position.play(action);
      plain.play(action);
      bm::plane_bits<bm::connect4::input> planes;
      position.encode(planes);
      for (int row = 0; row < 6; ++row)
        for (int column = 0; column < 7; ++column) {
          char const stone = plain.at(row, column);
          REQUIRE(planes.test(0, row, column) == (stone == plain.mover));
          REQUIRE(planes.test(1, row, column) == (stone != 0 && stone != plain.mover));
        }
    }
    REQUIRE(position.result() == (plain.won ? bm::loss : bm::draw));
    ++(plain.won ? wins : draws);
  }
  CHECK(wins > 2000);
  CHECK(draws > 0);
}

TEST_CASE("a full column is not legal, the others are") {
  auto const legal = after("444444").legal_actions();
  CHECK(legal.count() == 6);
  CHECK_FALSE(legal.test(3));
}

TEST_CASE("four in a row wins upwards, across and in both diagonals, and not around the edge") {
  CHECK(after("1212121").result() == bm::loss);
  CHECK(after("1122334").result() == bm::loss);
  CHECK(after("12233434454").result() == bm::loss);
  CHECK(after("76655454434").result() == bm::loss);
  CHECK_FALSE(after("121212").result());
  CHECK_FALSE(after("566771").result());   // x: 5 7 6 and o: 6 7 1
  CHECK_FALSE(after("6174717").result());  // x on 6, 7, 7, 7; o on 1, 4, 1
}

TEST_CASE("a board that fills without four in a row is a draw") {
  constexpr std::string_view columns = "121212212121343434434343565656656565777777";
  auto position = after(columns.substr(0, 41));
  CHECK_FALSE(position.result());
  position.play(6);
  CHECK(position.result() == bm::draw);
  CHECK(position.legal_actions().none());
}

TEST_CASE("connect four text is readable and read back") {
  auto const position = after("4435");
  CHECK(position.to_text() == "......./......./......./......./...o.../..xxo.. x");
  auto const read = bm::connect4::from_text(position.to_text());
  REQUIRE(read);
  CHECK(read->key() == position.key());
  CHECK(position.draw() ==
        ". . . . . . .\n. . . . . . .\n. . . . . . .\n. . . . . . .\n. . . o . . .\n. . x x o . .\n"
        "1 2 3 4 5 6 7\nx to move\n");
  CHECK(bm::connect4::action_text(6) == "7");
  CHECK(bm::connect4::parse_action("1") == 0);
  CHECK_FALSE(bm::connect4::parse_action("8"));
}

TEST_CASE("impossible connect four positions are refused") {
  std::string const empty = "......./......./......./......./......./";
  CHECK(bm::connect4::from_text(empty + "x...... o"));
  CHECK_FALSE(bm::connect4::from_text(empty + "x...... x"));  // not o's turn
  CHECK_FALSE(bm::connect4::from_text(empty + "xx..... o"));  // two stones too many
  CHECK_FALSE(bm::connect4::from_text("......./......./......./......./x....../....... o"));  // floating
  CHECK_FALSE(
      bm::connect4::from_text("......./......./......./......./ooo..../xxxxo.. x"));  // x has won, to move
  CHECK_FALSE(bm::connect4::from_text(empty + "x......"));
  CHECK_FALSE(bm::connect4::from_text(empty + "x...... o "));
}
