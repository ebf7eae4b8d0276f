#include <batchmate/core/random.hpp>
#include <batchmate/game/hex.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// Hex as the rules say it: a grid, and a depth-first search for each question.
template <int N>
struct plain_hex {
  std::vector<char> grid = std::vector<char>(N * N, '.');  // row by row

  char at(int row, int column) const { return grid[static_cast<std::size_t>(row * N + column)]; }
  void set(int cell, char stone) { grid[static_cast<std::size_t>(cell)] = stone; }

  /// Whether `x` has joined top and bottom, or `o` left and right.
  bool connected(char player) const {
    std::vector<bool> seen(N * N);
    std::vector<std::pair<int, int>> open;
    auto visit = [&](int row, int column) {
      if (row < 0 || row >= N || column < 0 || column >= N || at(row, column) != player) return;
      auto const cell = static_cast<std::size_t>(row * N + column);
      if (seen[cell]) return;
      seen[cell] = true;
      open.emplace_back(row, column);
    };
    for (int i = 0; i < N; ++i) player == 'x' ? visit(0, i) : visit(i, 0);
    while (!open.empty()) {
      auto const [row, column] = open.back();
      open.pop_back();
      if ((player == 'x' ? row : column) == N - 1) return true;
      for (auto [dr, dc] : {std::pair{0, -1}, {0, 1}, {-1, 0}, {-1, 1}, {1, -1}, {1, 0}})
        visit(row + dr, column + dc);
    }
    return false;
  }
};

std::vector<int> shuffled(int n, bm::random_stream& random) {
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  return order;
}

/// Fills boards in random order; how many `x` wins.
template <int N>
int fill_boards(int boards, std::uint64_t seed) {
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  int x_wins = 0, wrong = 0;
  for (int b = 0; b < boards; ++b) {
    bm::hex<N> position;
    plain_hex<N> plain;
    char winner = '.';
    char mover = 'x';
    for (int cell : shuffled(N * N, random)) {
      plain.set(cell, mover);
      if (!position.result()) {
        position.play(cell);
        if (position.result()) winner = mover;
      }
      mover = mover == 'x' ? 'o' : 'x';
    }
    bool const x = plain.connected('x'), o = plain.connected('o');
    wrong += x == o;                         // exactly one side wins a full board
    wrong += winner != (x ? 'x' : 'o');      // the one that the game said when it was played
    wrong += position.result() != bm::loss;  // for the player to move then
    x_wins += x;
  }
  CHECK(wrong == 0);
  return x_wins;
}

template <int N, bool Swap>
void follow_random_games(int games, std::uint64_t seed) {
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  int wrong = 0;
  for (int g = 0; g < games; ++g) {
    bm::hex<N, Swap> position;
    plain_hex<N> plain;
    char mover = 'x';
    while (!position.result()) {
      auto const legal = position.legal_actions();
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      position.play(action);
      if (action < N * N) {
        plain.set(action, mover);
      } else {
        auto const stone = std::find(plain.grid.begin(), plain.grid.end(), 'x') - plain.grid.begin();
        plain = {};
        plain.set(static_cast<int>(stone % N * N + stone / N), 'o');
      }
      wrong += position.result().has_value() != plain.connected(mover);
      wrong += plain.connected(mover == 'x' ? 'o' : 'x');
      mover = mover == 'x' ? 'o' : 'x';
      bm::plane_bits<bm::hex<N, Swap>::input> planes;
      position.encode(planes);
      for (int cell = 0; cell < N * N; ++cell) {
        char const stone = plain.at(cell / N, cell % N);
        wrong += planes.test(0, cell / N, cell % N) != (stone == mover);
        wrong += planes.test(1, cell / N, cell % N) != (stone != '.' && stone != mover);
        wrong += planes.test(2, cell / N, cell % N) != (mover == 'x');
        wrong += position.legal_actions().test(cell) != (stone == '.');
      }
    }
  }
  CHECK(wrong == 0);
}

template <class Hex>
Hex after(std::initializer_list<char const*> actions) {
  Hex position;
  for (auto const* text : actions) position.play(Hex::parse_action(text).value());
  return position;
}

}  // namespace

TEST_CASE("on a hundred thousand full Hex boards exactly one side wins, as a depth-first search finds") {
  int const boards = 20000;
  for (int x_wins : {fill_boards<3>(boards, 1), fill_boards<5>(boards, 2), fill_boards<7>(boards, 3),
                     fill_boards<11>(boards, 4), fill_boards<13>(boards, 5)}) {
    CHECK(x_wins > boards / 2);  // one stone more
    CHECK(x_wins < boards * 3 / 4);
  }
}

TEST_CASE("random games of Hex agree with a depth-first search at every ply") {
  follow_random_games<1, false>(3, 20);
  follow_random_games<2, false>(200, 21);
  follow_random_games<3, true>(500, 22);
  follow_random_games<5, true>(400, 23);
  follow_random_games<8, true>(100, 24);
  follow_random_games<9, false>(60, 25);
  follow_random_games<13, true>(30, 26);
  follow_random_games<19, false>(10, 27);
}

TEST_CASE("a stone that joins a long loose chain to both edges wins at once") {
  std::string text;
  for (int row = 0; row < 13; ++row) {  // x up column g but for the top, o in two columns beside
    text += row == 0 ? "............." : row % 2 ? "...o..x......" : "......x..o...";
    text += row < 12 ? '/' : ' ';
  }
  auto position = bm::hex13::from_text(text + "x");
  REQUIRE(position);
  CHECK_FALSE(position->result());
  position->play(bm::hex13::parse_action("g1").value());
  CHECK(position->result() == bm::loss);
}

TEST_CASE("stones across an obtuse corner do not touch") {
  auto const full = bm::hex<2>::from_text("xo/ox x");  // b1 and a2 touch, a1 and b2 do not
  REQUIRE(full);
  CHECK(full->result() == bm::loss);  // o has won
  auto position = after<bm::hex<2>>({"a1", "b1", "b2"});
  CHECK_FALSE(position.result());
  position.play(bm::hex<2>::parse_action("a2").value());
  CHECK(position.result() == bm::loss);
}

TEST_CASE("the swap is legal at ply 1 only, and only where the rule is on") {
  using swap5 = bm::hex<5, true>;
  CHECK_FALSE(swap5{}.legal_actions().test(swap5::swap_action));
  CHECK(after<swap5>({"b1"}).legal_actions().test(swap5::swap_action));
  CHECK(after<swap5>({"b1"}).legal_actions().count() == 25);
  CHECK_FALSE(after<swap5>({"b1", "c3"}).legal_actions().test(swap5::swap_action));
  CHECK_FALSE(after<swap5>({"b1", "swap"}).legal_actions().test(swap5::swap_action));
  CHECK(after<swap5>({"b1", "swap"}).legal_actions().count() == 24);
  CHECK_FALSE(after<swap5>({"b1", "swap", "c3"}).legal_actions().test(swap5::swap_action));
  CHECK_FALSE(bm::hex7::parse_action("swap"));
  CHECK(bm::hex7::num_actions == 49);
}

TEST_CASE("a swap reflects the stone, changes its colour and gives the move back") {
  using swap5 = bm::hex<5, true>;
  CHECK(after<swap5>({"b1"}).to_text() == ".x.../...../...../...../..... o");
  CHECK(after<swap5>({"b1", "swap"}).to_text() == "...../o..../...../...../..... x");
  CHECK(after<swap5>({"c3", "swap"}).to_text() == "...../...../..o../...../..... x");
  CHECK(after<swap5>({"b1", "swap"}).ply() == 2);
}

TEST_CASE("a stone that was swapped onto an edge counts for a connection") {
  using swap3 = bm::hex<3, true>;  // o: a2 by the swap, then b2 and c2
  auto const position = after<swap3>({"b1", "swap", "a1", "b2", "a3", "c2"});
  CHECK(position.to_text() == "x../ooo/x.. x");
  CHECK(position.result() == bm::loss);
}

TEST_CASE("a Hex key tells the player to move after a swap") {
  using swap3 = bm::hex<3, true>;
  auto const x = swap3::from_text("x../o../... x"), o = swap3::from_text("x../o../... o");
  REQUIRE(x);
  REQUIRE(o);
  CHECK(x->key() != o->key());
  CHECK(o->key() == after<swap3>({"b1", "swap", "a1"}).key());
  CHECK(x->key() == after<swap3>({"a1", "a2"}).key());
}

TEST_CASE("Hex text is readable") {
  auto const position = after<bm::hex<3>>({"a1", "b2", "c1"});
  CHECK(position.to_text() == "x.x/.o./... o");
  CHECK(position.draw() ==
        "   a b c\n 1 x . x  1\n  2 . o .  2\n   3 . . .  3\n      a b c\no (left to right) to move\n");
  CHECK(bm::hex13::name() == "hex13");
  CHECK(bm::hex<13, true>::name() == "hex13-swap");
  CHECK(bm::hex<13, true>::action_text(169) == "swap");
  CHECK(bm::hex13::action_text(168) == "m13");
}

TEST_CASE("impossible Hex positions are refused") {
  using swap3 = bm::hex<3, true>;
  CHECK_FALSE(bm::hex<3>::from_text("x../.../... x"));
  CHECK_FALSE(bm::hex<3>::from_text("o../.../... x"));
  CHECK(swap3::from_text("o../.../... x"));  // b1 or so, swapped
  CHECK_FALSE(swap3::from_text("o../.../... o"));
  CHECK_FALSE(swap3::from_text(".../.../... o"));
  CHECK_FALSE(swap3::from_text("ooo/.../... x"));
  CHECK_FALSE(bm::hex<3>::from_text("xo./xo./x.o x"));  // x has won and x is to move
  CHECK(bm::hex<3>::from_text("xo./xo./x.. o"));
  CHECK_FALSE(bm::hex<3>::from_text("xo./xo./x.."));
  CHECK_FALSE(bm::hex<3>::from_text("xo./xo./x... o"));
}

TEST_CASE("Hex positions are small") {
  CHECK(sizeof(bm::hex13) <= 104);
  CHECK(sizeof(bm::hex9) <= 72);
}
