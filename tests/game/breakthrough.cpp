#include <batchmate/core/random.hpp>
#include <batchmate/game/breakthrough.hpp>
#include <batchmate/game/conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace bm = batchmate;

namespace {

struct step {
  int from, to, direction;  // cells row * columns + column from the top; direction 0 to 2 from the left
};

/// Breakthrough as the rules say it, on a grid that stays as it is: `x` moves upwards, `o` downwards.
struct plain_breakthrough {
  int rows, columns;
  std::string grid;  // row by row from the top
  char mover = 'x';

  plain_breakthrough(int r, int c) : rows(r), columns(c) {
    auto const side = static_cast<std::size_t>(2 * c), middle = static_cast<std::size_t>((r - 4) * c);
    grid = std::string(side, 'o') + std::string(middle, '.') + std::string(side, 'x');
  }
  char other() const { return mover == 'x' ? 'o' : 'x'; }
  char& at(int cell) { return grid[static_cast<std::size_t>(cell)]; }

  std::vector<step> moves() {
    std::vector<step> all;
    for (int from = 0; from < rows * columns; ++from)
      for (int direction = 0; direction < 3 && at(from) == mover; ++direction) {
        int const row = from / columns + (mover == 'x' ? -1 : 1), column = from % columns + direction - 1;
        if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
        int const to = row * columns + column;
        if (at(to) == '.' || (at(to) == other() && direction != 1)) all.push_back({from, to, direction});
      }
    return all;
  }
  void play(step const& s) {
    at(s.to) = mover;
    at(s.from) = '.';
    mover = other();
  }
  /// Whether the player to move has lost.
  bool lost() {
    if (grid.find(mover) == std::string::npos) return true;
    int const home = mover == 'x' ? rows - 1 : 0;
    for (int column = 0; column < columns; ++column)
      if (at(home * columns + column) == other()) return true;
    return false;
  }
  /// The cell as the mover sees it.
  int seen(int cell) const {
    return mover == 'x' ? cell : (rows - 1 - cell / columns) * columns + cell % columns;
  }
  std::string text() const { return bm::format_board({grid, mover == 'x'}, columns); }
};

/// Plays random games beside the plain one; how many captures they had.
template <int R, int C>
int follow_random_games(int games, std::uint64_t seed) {
  using game = bm::breakthrough<R, C>;
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  int wrong = 0, captures = 0;
  for (int g = 0; g < games; ++g) {
    game position;
    plain_breakthrough plain(R, C);
    while (!plain.lost()) {
      wrong += position.result().has_value();
      wrong += position.to_text() != plain.text();
      bm::plane_bits<game::input> planes;
      position.encode(planes);
      for (int cell = 0; cell < R * C; ++cell) {
        int const row = plain.seen(cell) / C, column = cell % C;
        wrong += planes.test(0, row, column) != (plain.at(cell) == plain.mover);
        wrong += planes.test(1, row, column) != (plain.at(cell) == plain.other());
      }
      auto const moves = plain.moves();
      bm::actions_of<game> legal;
      for (step const& s : moves) legal.set(s.direction * R * C + plain.seen(s.from));
      wrong += position.legal_actions() != legal;
      step const s = moves[random.below(static_cast<std::uint32_t>(moves.size()))];
      captures += plain.at(s.to) == plain.other();
      position.play(s.direction * R * C + plain.seen(s.from));
      plain.play(s);
    }
    wrong += position.result() != bm::loss;
    wrong += position.to_text() != plain.text();
  }
  CHECK(wrong == 0);
  return captures;
}

/// Whether the player to move wins under best play; `known` by key.
template <class G>
bool wins(G const& position, std::unordered_map<std::uint64_t, bool>& known) {
  if (position.result()) return false;
  auto const found = known.find(position.key());
  if (found != known.end()) return found->second;
  bool winning = false;
  auto const legal = position.legal_actions();
  for (int i = 0, n = legal.count(); i < n && !winning; ++i) {
    G next = position;
    next.play(legal.nth(i));
    winning = !wins(next, known);
  }
  return known[position.key()] = winning;
}

template <int R, int C>
bool first_wins() {
  std::unordered_map<std::uint64_t, bool> known;
  return wins(bm::breakthrough<R, C>{}, known);
}

/// The same on the grid; `known` by text.
bool plain_wins(plain_breakthrough position, std::unordered_map<std::string, bool>& known) {
  if (position.lost()) return false;
  std::string const text = position.text();
  auto const found = known.find(text);
  if (found != known.end()) return found->second;
  bool winning = false;
  for (step const& s : position.moves()) {
    plain_breakthrough next = position;
    next.play(s);
    if ((winning = !plain_wins(next, known))) break;
  }
  return known[text] = winning;
}

bool plain_first_wins(int rows, int columns) {
  std::unordered_map<std::string, bool> known;
  return plain_wins(plain_breakthrough(rows, columns), known);
}

/// Plies of the longest game from a position.
template <class G>
int longest(G const& position, std::unordered_map<std::uint64_t, int>& known) {
  if (position.result()) return 0;
  auto const found = known.find(position.key());
  if (found != known.end()) return found->second;
  int most = 0;
  position.legal_actions().for_each([&](int action) {
    G next = position;
    next.play(action);
    most = std::max(most, 1 + longest(next, known));
  });
  return known[position.key()] = most;
}

template <int R, int C>
int longest_game() {
  std::unordered_map<std::uint64_t, int> known;
  return longest(bm::breakthrough<R, C>{}, known);
}

template <class G>
G after(std::initializer_list<char const*> actions) {
  G position;
  for (auto const* text : actions) {
    int const action = G::parse_action(text).value();
    REQUIRE(position.legal_actions().test(action));
    position.play(action);
  }
  return position;
}

}  // namespace

TEST_CASE_TEMPLATE("Breakthrough keeps the contract of a game", G, bm::breakthrough8,
                   bm::breakthrough<5, 3>) {
  auto const counts = bm::check_game<G>({.games = 50, .no_move_loses = true});
  CHECK(counts.draws == 0);
  CHECK(counts.first_wins > 10);
  CHECK(counts.second_wins > 10);
}

TEST_CASE("random games of Breakthrough agree with a plain implementation at every ply") {
  CHECK(follow_random_games<8, 8>(300, 1) > 1000);
  CHECK(follow_random_games<4, 2>(200, 2) > 100);
  CHECK(follow_random_games<5, 7>(200, 3) > 500);  // actions cross from word to word
  CHECK(follow_random_games<6, 5>(200, 4) > 500);
}

TEST_CASE("small boards of Breakthrough have the same winner by brute force on two implementations") {
  CHECK(first_wins<4, 2>() == plain_first_wins(4, 2));
  CHECK(first_wins<4, 3>() == plain_first_wins(4, 3));
  CHECK(first_wins<4, 4>() == plain_first_wins(4, 4));
  CHECK(first_wins<5, 2>() == plain_first_wins(5, 2));
  CHECK(first_wins<5, 3>() == plain_first_wins(5, 3));
  CHECK(first_wins<6, 2>() == plain_first_wins(6, 2));
  CHECK(first_wins<6, 2>());
  CHECK_FALSE(first_wins<5, 3>());
}

TEST_CASE("no game of Breakthrough is longer than max_plies, and some are as long") {
  CHECK(longest_game<4, 3>() <= bm::breakthrough<4, 3>::max_plies);
  CHECK(longest_game<5, 2>() == bm::breakthrough<5, 2>::max_plies);
  CHECK(longest_game<6, 2>() == bm::breakthrough<6, 2>::max_plies);
  CHECK(bm::breakthrough8::max_plies == 177);
}

TEST_CASE("a piece captures diagonally only, and none passes another straight ahead") {
  using game = bm::breakthrough<4, 3>;
  auto const facing = game::from_text(".../.o./.x./... x");
  REQUIRE(facing);
  CHECK(facing->legal_actions().count() == 2);
  CHECK_FALSE(facing->legal_actions().test(game::parse_action("b2b3").value()));
  auto const capturing = game::from_text("oo./o../.x./... x");
  REQUIRE(capturing);
  auto position = *capturing;
  position.play(game::parse_action("b2a3").value());
  CHECK(position.to_text() == "oo./x../.../... o");
  CHECK_FALSE(position.result());
  CHECK(position.legal_actions().test(game::parse_action("b1a2").value()));  // from o's side
  CHECK_FALSE(position.legal_actions().test(game::parse_action("a1a2").value()));
}

TEST_CASE("reaching the far row wins, and so does capturing the last piece") {
  using game = bm::breakthrough<4, 3>;
  auto home = game::from_text("oo./..x/.../... x").value();
  home.play(game::parse_action("c3c4").value());
  CHECK(home.to_text() == "oox/.../.../... o");
  CHECK(home.result() == bm::loss);
  auto last = game::from_text(".../.o./x../... o").value();
  last.play(game::parse_action("b2a3").value());
  CHECK(last.to_text() == ".../.../o../... x");
  CHECK(last.result() == bm::loss);
}

TEST_CASE("Breakthrough text is readable, and either player counts rows from its own side") {
  auto const position = after<bm::breakthrough8>({"a2a3", "h2g3", "a3b4"});
  CHECK(position.to_text() == "oooooooo/ooooooo./......o./......../.x....../......../.xxxxxxx/xxxxxxxx o");
  using game = bm::breakthrough<4, 3>;
  CHECK(after<game>({"b2a3"}).draw() ==
        "4 o o o 1\n3 x o o 2\n2 x . x 3\n1 x x x 4\n  a b c\no (downwards) to move\n");
  CHECK(game::name() == "breakthrough4x3");
  CHECK(bm::breakthrough8::name() == "breakthrough8");
  CHECK(game::action_text(0) == "a4-5");  // never legal
  CHECK_FALSE(game::parse_action("a2a4"));
  CHECK_FALSE(game::parse_action("a2c3"));
  CHECK_FALSE(game::parse_action("a0a1"));
  CHECK_FALSE(game::parse_action("d1d2"));
}

TEST_CASE("impossible Breakthrough positions are refused") {
  using game = bm::breakthrough<4, 3>;
  CHECK(game::from_text("x../.o./.../... o"));
  CHECK_FALSE(game::from_text("x../.o./.../... x"));  // x is home already
  CHECK_FALSE(game::from_text("xx./.o./.../... o"));  // the first of them ended the game
  CHECK_FALSE(game::from_text(".../.x./.../... x"));  // o has no piece left
  CHECK_FALSE(game::from_text("ooo/ooo/.o./.x. x"));  // seven of six pieces
  CHECK_FALSE(game::from_text("ooo/ooo/xxx/xxx"));
}

TEST_CASE("the mirror exchanges the diagonals") {
  using game = bm::breakthrough8;
  auto const moved = [](char const* text) {
    return game::action_text(game::symmetric_action(1, game::parse_action(text).value()));
  };
  CHECK(moved("a2b3") == "h2g3");
  CHECK(moved("d5d6") == "e5e6");
  CHECK(game::symmetric_action(0, 5) == 5);
}

TEST_CASE("a Breakthrough position takes three words") { CHECK(sizeof(bm::breakthrough8) == 24); }
