#include <batchmate/core/random.hpp>
#include <batchmate/game/go_board.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace bm = batchmate;

namespace {

/// The colouring whose base-3 digits are those of `number`.
template <int N>
bm::go_board<N> colouring(int number) {
  bm::go_board<N> board;
  for (int cell = 0; cell < N * N; ++cell, number /= 3)
    if (number % 3 > 0) board.add(number % 3 - 1, cell);
  return board;
}

template <int N>
int count_legal() {
  int colourings = 1, legal = 0;
  for (int cell = 0; cell < N * N; ++cell) colourings *= 3;
  for (int i = 0; i < colourings; ++i) legal += colouring<N>(i).all_have_liberties();
  return legal;
}

/// A board from rows of `x`, `o` and `.`.
template <int N>
bm::go_board<N> board_of(std::string_view rows) {
  bm::go_board<N> board;
  int cell = 0;
  for (char c : rows) {
    if (c == 'x' || c == 'o') board.add(c == 'o', cell);
    cell += c == 'x' || c == 'o' || c == '.';
  }
  REQUIRE(cell == N * N);
  return board;
}

}  // namespace

TEST_CASE("the numbers of legal Go positions are the published ones") {
  CHECK(count_legal<1>() == 1);  // Tromp and Farnebaeck, Combinatorics of Go, 2006
  CHECK(count_legal<2>() == 57);
  CHECK(count_legal<3>() == 12675);
}

TEST_CASE("a Go board's hash belongs to its stones, not to how they came") {
  auto board = board_of<4>("xxo. ooo. .... ....");
  auto const before = board;
  CHECK(board.place(1, 3).none());
  auto const taken = board_of<4>("xxoo ooo. .... ....");
  CHECK(board == taken);
  CHECK(before.hash_with(1, 3) == board.hash);
  CHECK_FALSE(board == before);
  auto corner = board_of<4>(".xo. ooo. .... ....");
  CHECK(corner.place(0, 0).count() == 2);  // both, as a suicide
  CHECK(corner == board_of<4>("..o. ooo. .... ...."));
}

TEST_CASE("a stone takes several chains at once, also while its own has no other liberty") {
  auto one = board_of<5>(".o.xx ox.xx x.... ..... .....");
  CHECK(one.place(0, 0).count() == 1);  // a2, as b1 has c1
  CHECK(one == board_of<5>("xo.xx .x.xx x.... ..... ....."));
  auto both = board_of<5>(".oxxx oxxxx x.... ..... .....");
  CHECK(both.place(0, 0).count() == 2);
  CHECK(both == board_of<5>("x.xxx .xxxx x.... ..... ....."));
}

TEST_CASE("quiet points take nothing, on every legal board of 3 x 3 points") {
  int wrong = 0, quiet = 0, others = 0;
  for (int i = 0; i < 19683; ++i) {
    auto const board = colouring<3>(i);
    if (!board.all_have_liberties()) continue;
    for (int player : {0, 1}) {
      auto const sure = board.surely_quiet(player);
      wrong += (sure & ~board.empty()).any();
      board.empty().for_each([&](int cell) {
        auto next = board;
        bool const takes = next.place(player, cell).any();
        wrong += sure.test(cell) && (takes || next.hash != board.hash_with(player, cell));
        quiet += sure.test(cell);
        others += !sure.test(cell) && !takes;
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(quiet > 0);
  CHECK(others > 0);  // "surely" leaves a few out
}

TEST_CASE("chains are counted with their liberties") {
  auto const board = board_of<5>("x.xo. xxoo. ....x ....o .....");
  bm::bit_set<25> one, two;
  board.short_of_liberties(0, one, two);
  CHECK(one == (bm::bit_set<25>::only(2)));   // c1: b1
  CHECK(two == (bm::bit_set<25>::only(14)));  // e3: e2, d3
  one = two = {};
  board.short_of_liberties(1, one, two);
  CHECK(one.none());
  CHECK(two == (bm::bit_set<25>::only(19)));  // e4: d4, e5
}

TEST_CASE("empty points that both colours reach are nobody's area") {
  CHECK(board_of<3>("... ... ...").area_lead() == 0);
  CHECK(board_of<3>("... .x. ...").area_lead() == 9);
  CHECK(board_of<3>("... .o. ...").area_lead() == -9);
  CHECK(board_of<4>(".xo. .xo. .xo. .xo.").area_lead() == 0);
  CHECK(board_of<4>(".xo. .xo. .xo. .x..").area_lead() == 8 - 3);  // x reaches all of column d over c4
  CHECK(board_of<4>("x... .... .... ...o").area_lead() == 0);
  CHECK(board_of<5>(".xo.o xxooo ..... xxxxo .x.xo").area_lead() == 12 - 8);
}

TEST_CASE("superko is exact even where its filter is too small") {
  constexpr int plies = 200;
  using narrow = bm::go_history<3, plies, 1>;
  bm::random_stream random(bm::random_key{3}.split(bm::purpose::test));
  int wrong = 0, unsure = 0, fresh = 0, known = 0;
  for (int game = 0; game < 20; ++game) {
    bm::go_board<3> board;
    narrow history;
    std::vector<bm::go_board<3>> had{board};
    for (int ply = 0; ply < plies; ++ply) {
      int const pass = 9, cell = static_cast<int>(random.below(10));
      bool const stone = cell != pass && board.empty().test(cell);
      if (stone) board.place(ply & 1, cell);
      history.add(stone ? cell : pass, board);
      had.push_back(board);
      auto const wanted = colouring<3>(static_cast<int>(random.below(19683)));
      for (auto const& b : {wanted, had[random.below(static_cast<std::uint32_t>(had.size()))]}) {
        bool const there = std::find(had.begin(), had.end(), b) != had.end();
        wrong += history.holds(b) != there;
        known += there;
        fresh += !there;
        unsure += !there && history.may_hold(b.hash);
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(known > 1000);
  CHECK(fresh > 1000);
  CHECK(unsure > fresh / 3);  // or the filter decides, not the boards
}

TEST_CASE("a filter of its usual size seldom says maybe to a new board") {
  bm::go_board<9> board;
  bm::go_history<9, 162> history;
  for (int ply = 0; ply < 162; ++ply) {
    int const cell = ply * 11 % 81;
    if (board.empty().test(cell)) board.place(ply & 1, cell);
    history.add(cell, board);
  }
  int maybe = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) maybe += history.may_hold(bm::mix_bits(i));
  CHECK(maybe < 100);
}
