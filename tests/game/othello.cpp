#include <batchmate/core/random.hpp>
#include <batchmate/game/conformance.hpp>
#include <batchmate/game/othello.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace bm = batchmate;

namespace {

/// Othello as the rules say it: a grid, and a walk in every direction.
struct plain_othello {
  std::array<char, 64> grid;  // row by row from the top; 'x', 'o', '.'
  char mover = 'x';

  plain_othello() {
    grid.fill('.');
    grid[28] = grid[35] = 'x';
    grid[27] = grid[36] = 'o';
  }
  char& at(int row, int column) { return grid[static_cast<std::size_t>(row * 8 + column)]; }
  char other() const { return mover == 'x' ? 'o' : 'x'; }

  /// Turns over what a disc of the mover at (row, column) would, if `really`; how many that are.
  int turn(int row, int column, bool really) {
    if (at(row, column) != '.') return 0;
    int turned = 0;
    for (int dr = -1; dr <= 1; ++dr)
      for (int dc = -1; dc <= 1; ++dc) {
        int length = 0, r = row + dr, c = column + dc;
        auto const inside = [&] { return r >= 0 && r < 8 && c >= 0 && c < 8; };
        for (; (dr || dc) && inside() && at(r, c) == other(); r += dr, c += dc) ++length;
        if (length == 0 || !inside() || at(r, c) != mover) continue;
        turned += length;
        for (int i = 1; really && i <= length; ++i) at(row + i * dr, column + i * dc) = mover;
      }
    return turned;
  }
  bool placeable(int cell) { return turn(cell / 8, cell % 8, false) > 0; }
  bool can_place() {
    for (int cell = 0; cell < 64; ++cell)
      if (placeable(cell)) return true;
    return false;
  }
  void hand_over() { mover = other(); }
  void play(int action) {
    if (action < 64) {
      turn(action / 8, action % 8, true);
      grid[static_cast<std::size_t>(action)] = mover;
    }
    hand_over();
  }
  /// Legal actions, the pass included; none once the game is over.
  bm::action_set<65> legal() {
    bm::action_set<65> set;
    for (int cell = 0; cell < 64; ++cell)
      if (placeable(cell)) set.set(cell);
    if (set.any()) return set;
    hand_over();
    if (can_place()) set.set(64);
    hand_over();
    return set;
  }
  /// The mover's discs less the other's.
  int ahead() const {
    int n = 0;
    for (char c : grid) n += (c == mover) - (c != mover && c != '.');
    return n;
  }
};

/// Whether the game shows the same position as the plain board.
bool agree(bm::othello const& position, plain_othello& plain) {
  auto const legal = plain.legal();
  bm::plane_bits<bm::othello::input> planes;
  position.encode(planes);
  bool same = position.legal_actions() == legal && position.result().has_value() == legal.none();
  if (legal.none()) {
    int const ahead = plain.ahead();
    same &= position.result() == (ahead > 0 ? bm::win : ahead < 0 ? bm::loss : bm::draw);
  }
  for (int cell = 0; cell < 64; ++cell) {
    char const disc = plain.at(cell / 8, cell % 8);
    same &= planes.test(0, cell / 8, cell % 8) == (disc == plain.mover);
    same &= planes.test(1, cell / 8, cell % 8) == (disc == plain.other());
  }
  return same;
}

struct tally {
  long leaves = 0, passes = 0, ended = 0;
};

/// Move sequences of a length, how many of their last moves were passes, and how many ended the game.
void perft(bm::othello const& position, int depth, tally& seen) {
  position.legal_actions().for_each([&](int action) {
    auto next = position;
    next.play(action);
    if (depth > 1) return perft(next, depth - 1, seen);
    ++seen.leaves;
    seen.passes += action == bm::othello::pass;
    seen.ended += next.result().has_value();
  });
}

bm::othello after(std::string_view actions) {  // two characters each
  bm::othello position;
  for (; !actions.empty(); actions.remove_prefix(2))
    position.play(bm::othello::parse_action(actions.substr(0, 2)).value());
  return position;
}

bm::othello read(std::string const& text) {
  auto const position = bm::othello::from_text(text);
  REQUIRE(position);
  return *position;
}

}  // namespace

TEST_CASE("Othello keeps the contract of a game") {
  auto const counts = bm::check_game<bm::othello>({.games = 50});
  CHECK(counts.first_wins > 5);
  CHECK(counts.second_wins > 5);
  CHECK(counts.longest >= 60);
}

// The counts that Aart Bik published in 2009; a pass is a ply, and the first of them come ninth. His tenth
// count is greater by 228 than that of sequences of ten moves, as he counts games that ended at ply 9 again.
TEST_CASE("Othello has the published number of move sequences to depth 9") {
  constexpr std::array<long, 10> published{1, 4, 12, 56, 244, 1396, 8200, 55092, 390216, 3005288};
  for (int depth = 1; depth <= 9; ++depth) {
    tally seen;
    perft({}, depth, seen);
    CHECK(seen.leaves == published[static_cast<std::size_t>(depth)]);
    CHECK(seen.passes == (depth == 9 ? 24 : 0));
    CHECK(seen.ended == (depth == 9 ? 228 : 0));
  }
}

TEST_CASE("random games of Othello agree with a plain implementation at every ply") {
  bm::random_stream random(bm::random_key{31}.split(bm::purpose::test));
  int wrong = 0, passes = 0, early = 0, draws = 0;
  for (int g = 0; g < 2000; ++g) {
    bm::othello position;
    plain_othello plain;
    for (;;) {
      wrong += !agree(position, plain);
      auto const legal = plain.legal();
      if (legal.none()) break;
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      passes += action == bm::othello::pass;
      position.play(action);
      plain.play(action);
    }
    early += position.discs() + position.opponent_discs() < 64;
    draws += position.result() == bm::draw;
  }
  CHECK(wrong == 0);
  CHECK(passes > 500);
  CHECK(early > 10);
  CHECK(draws > 20);
}

TEST_CASE("Othello counts black's lead, whoever is to move") {
  for (auto const* mover : {" x", " o"}) {
    std::string const board = "xxx...../......../......../...ox.../...oo.../......../......../........";
    CHECK(bm::othello::from_text(board + mover).value().black_lead() == 1);
  }
}

// Positions that no game reaches have longer runs, in more directions at once.
TEST_CASE("random boards of Othello agree with a plain implementation before and after every move") {
  bm::random_stream random(bm::random_key{32}.split(bm::purpose::test));
  int wrong = 0, moves = 0, passes = 0;
  for (int b = 0; b < 4000; ++b) {
    plain_othello plain;
    auto const empty = random.below(60), mine = random.below(100);
    for (int cell = 0; cell < 64; ++cell) {
      bool const centre = (cell / 8 == 3 || cell / 8 == 4) && (cell % 8 == 3 || cell % 8 == 4);
      if (!centre && random.below(64) < empty) continue;
      plain.at(cell / 8, cell % 8) = random.below(100) < mine ? 'x' : 'o';
    }
    plain.mover = random.below(2) ? 'x' : 'o';
    bm::board_text const board{std::string(plain.grid.begin(), plain.grid.end()), plain.mover == 'x'};
    auto const position = read(bm::format_board(board, 8));
    wrong += !agree(position, plain);
    plain.legal().for_each([&](int action) {
      auto next = position;
      auto plain_next = plain;
      next.play(action);
      plain_next.play(action);
      wrong += !agree(next, plain_next);
      ++moves;
      passes += action == bm::othello::pass;
    });
  }
  CHECK(wrong == 0);
  CHECK(moves > 20000);
  CHECK(passes > 50);
}

TEST_CASE("a disc turns over runs in all eight directions, of six discs at most") {
  auto star = read("x.x.x.../.ooo..../xo.oooox/.ooox.../x.oxo.../..o..o../..o...o./..x....x x");
  star.play(bm::othello::parse_action("c3").value());
  CHECK(star.to_text() == "x.x.x.../.xxx..../xxxxxxxx/.xxxx.../x.xxx.../..x..x../..x...x./..x....x o");
  auto corner = read(".oooooox/oo....../o.o...../o..ox.../o..xo.../o....o../o.....o./x......x x");
  corner.play(bm::othello::parse_action("a1").value());
  CHECK(corner.to_text() == "xxxxxxxx/xx....../x.x...../x..xx.../x..xx.../x....x../x.....x./x......x o");
}

TEST_CASE("who cannot place a disc passes, and may do nothing else") {
  auto position = after("d3c3b3b2f5a3a1c1");
  CHECK(position.legal_actions() == bm::action_set<65>::only(bm::othello::pass));
  CHECK_FALSE(position.result());
  std::string const before = position.to_text();
  position.play(bm::othello::pass);
  CHECK(position.to_text() == before.substr(0, before.size() - 1) + "o");
  CHECK_FALSE(position.legal_actions().test(bm::othello::pass));
  CHECK(position.legal_actions().any());
}

TEST_CASE("Othello is over when neither player can place a disc, and more discs win") {
  std::string const x_row = "xxxxxxxx/", o_row = "oooooooo/", x4 = x_row + x_row + x_row + x_row,
                    o4 = o_row + o_row + o_row + "oooooooo";
  CHECK(read(x4 + o4 + " x").result() == bm::draw);
  CHECK(read("o" + x4.substr(1) + o4 + " x").result() == bm::loss);
  CHECK(read("o" + x4.substr(1) + o4 + " o").result() == bm::win);
  std::string const apart = "oo....../......../......../...xx.../...xx.../......../......../........";
  CHECK(read(apart + " x").result() == bm::win);
  CHECK(read(apart + " o").result() == bm::loss);
  auto const none_left = read("......../......../......../...xx.../...xx.../......../......../........ o");
  CHECK(none_left.result() == bm::loss);
  CHECK(none_left.legal_actions().none());
}

TEST_CASE("a symmetry of Othello keeps the start, which a quarter turn does not") {
  bm::action_set<65> const opening = bm::othello{}.legal_actions();
  for (int s = 0; s < bm::othello::num_symmetries; ++s)
    opening.for_each([&](int action) { CHECK(opening.test(bm::othello::symmetric_action(s, action))); });
  auto const moved = [](int s, char const* text) {
    return bm::othello::action_text(
        bm::othello::symmetric_action(s, bm::othello::parse_action(text).value()));
  };
  char const* const corner[4] = {"b1", "g8", "a2", "h7"};
  for (int s = 0; s < 4; ++s) CHECK(moved(s, "b1") == corner[s]);
  CHECK(moved(3, "pass") == "pass");
}

TEST_CASE("an Othello position is the same whatever the colours are called") {
  auto const x = read("......../......../...ox.../...xo.../...xo.../......../......../........ x");
  auto const o = read("......../......../...xo.../...ox.../...ox.../......../......../........ o");
  CHECK(x.key() == o.key());
  CHECK(bm::position_view<bm::othello>(x).difference(bm::position_view<bm::othello>(o)) == nullptr);
}

TEST_CASE("Othello text is readable") {
  CHECK(bm::othello{}.to_text() ==
        "......../......../......../...ox.../...xo.../......../......../........ x");
  CHECK(after("f5d6").draw() ==
        "  a b c d e f g h\n1 . . . . . . . .\n2 . . . . . . . .\n3 . . . . . . . .\n4 . . . o x . . .\n"
        "5 . . . o x x . .\n6 . . . o . . . .\n7 . . . . . . . .\n8 . . . . . . . .\nx to move\n");
  CHECK(bm::othello::action_text(63) == "h8");
  CHECK(bm::othello::action_text(bm::othello::pass) == "pass");
  CHECK(bm::othello::parse_action("pass") == 64);
  CHECK_FALSE(bm::othello::parse_action("i1"));
}

TEST_CASE("Othello boards with an empty centre are refused") {
  CHECK_FALSE(
      bm::othello::from_text("......../......../......../........  /...xo.../......../......../........ x"));
  CHECK_FALSE(
      bm::othello::from_text("......../......../......../....x.../...xo.../......../......../........ x"));
  CHECK_FALSE(
      bm::othello::from_text("......../......../......../...ox.../...xo.../......../......../........"));
}

TEST_CASE("an Othello position takes three words") { CHECK(sizeof(bm::othello) == 24); }
