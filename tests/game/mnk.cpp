#include <batchmate/core/random.hpp>
#include <batchmate/game/conformance.hpp>
#include <batchmate/game/mnk.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace bm = batchmate;

namespace {

/// The m,n,k-game as the rules say it: a grid, and a walk from the last stone.
struct plain_mnk {
  int rows, columns, k;
  std::vector<char> grid = std::vector<char>(static_cast<std::size_t>(rows * columns), '.');
  char mover = 'x';
  bool won = false;
  int stones = 0;

  char at(int row, int column) const {
    if (row < 0 || row >= rows || column < 0 || column >= columns) return '#';
    return grid[static_cast<std::size_t>(row * columns + column)];
  }
  void play(int cell) {
    grid[static_cast<std::size_t>(cell)] = mover;
    int const row = cell / columns, column = cell % columns;
    for (auto [dr, dc] : {std::pair{0, 1}, {1, 0}, {1, 1}, {1, -1}}) {
      int length = 1;
      for (int i = 1; at(row + i * dr, column + i * dc) == mover; ++i) ++length;
      for (int i = 1; at(row - i * dr, column - i * dc) == mover; ++i) ++length;
      won = won || length >= k;
    }
    mover = mover == 'x' ? 'o' : 'x';
    ++stones;
  }
  bool over() const { return won || stones == rows * columns; }
};

struct endings {
  int wins = 0, draws = 0;
};

/// Plays random games beside the plain one; how they ended.
template <int M, int N, int K>
endings follow_random_games(int games, std::uint64_t seed) {
  using game = bm::mnk<M, N, K>;
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  endings seen;
  int wrong = 0;
  for (int g = 0; g < games; ++g) {
    game position;
    plain_mnk plain{M, N, K};
    while (!plain.over()) {
      wrong += position.result().has_value();
      auto const legal = position.legal_actions();
      bm::plane_bits<game::input> planes;
      position.encode(planes);
      for (int cell = 0; cell < M * N; ++cell) {
        char const stone = plain.at(cell / N, cell % N);
        wrong += legal.test(cell) != (stone == '.');
        wrong += planes.test(0, cell / N, cell % N) != (stone == plain.mover);
        wrong += planes.test(1, cell / N, cell % N) != (stone != '.' && stone != plain.mover);
      }
      int const action = legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count()))));
      position.play(action);
      plain.play(action);
    }
    wrong += position.result() != (plain.won ? bm::loss : bm::draw);
    ++(plain.won ? seen.wins : seen.draws);
  }
  CHECK(wrong == 0);
  return seen;
}

struct tally {
  long x_wins = 0, o_wins = 0, draws = 0;
};

template <class G>
void play_all(G const& position, int ply, tally& seen) {
  if (auto const result = position.result()) {
    ++(*result == bm::draw ? seen.draws : ply % 2 ? seen.x_wins : seen.o_wins);
    return;
  }
  position.legal_actions().for_each([&](int action) {
    G next = position;
    next.play(action);
    play_all(next, ply + 1, seen);
  });
}

/// The value of a position under best play, for the player to move; `known` by key.
template <class G>
float solve(G const& position, std::unordered_map<std::uint64_t, float>& known) {
  if (auto const result = position.result()) return *result;
  auto const [entry, fresh] = known.try_emplace(position.key());
  if (!fresh) return entry->second;
  float best = bm::loss;
  auto const legal = position.legal_actions();
  for (int i = 0, n = legal.count(); i < n && best < bm::win; ++i) {
    G next = position;
    next.play(legal.nth(i));
    best = std::max(best, -solve(next, known));
  }
  return known[position.key()] = best;
}

template <int M, int N, int K>
float value() {
  std::unordered_map<std::uint64_t, float> known;
  return solve(bm::mnk<M, N, K>{}, known);
}

/// The same on a grid, without a memory.
int plain_value(plain_mnk const& position) {
  if (position.won) return -1;
  int best = position.over() ? 0 : -1;
  for (int cell = 0; cell < position.rows * position.columns && best < 1; ++cell) {
    if (position.at(cell / position.columns, cell % position.columns) != '.') continue;
    plain_mnk next = position;
    next.play(cell);
    best = std::max(best, -plain_value(next));
  }
  return best;
}

/// Gomoku with `x` on some cells and as many of `o`, less `fewer`, on others where they make no line.
bm::gomoku with_stones(std::vector<int> const& x, int fewer) {
  bm::board_text board{std::string(225, '.'), fewer == 0};
  for (int cell : x) board.cells[static_cast<std::size_t>(cell)] = 'x';
  int missing = static_cast<int>(x.size()) - fewer;
  for (std::size_t cell = 0; missing > 0;
       cell += 2)  // every other one of 15 columns: none touch but diagonally
    if (board.cells[cell] == '.' && cell % 7 != 0) {
      board.cells[cell] = 'o';
      --missing;
    }
  auto const position = bm::gomoku::from_text(bm::format_board(board, 15));
  REQUIRE(position);
  return *position;
}

template <class G>
G after(std::initializer_list<char const*> actions) {
  G position;
  for (auto const* text : actions) position.play(G::parse_action(text).value());
  return position;
}

}  // namespace

TEST_CASE_TEMPLATE("an m,n,k-game keeps the contract of a game", G, bm::mnk<3, 3, 3>, bm::mnk<3, 5, 4>,
                   bm::gomoku) {
  auto const counts = bm::check_game<G>({.games = 30, .no_move_loses = true});
  CHECK(counts.first_wins > 0);
  CHECK(counts.longest <= G::max_plies);
}

TEST_CASE("mnk<3, 3, 3> has the 255168 games of tic-tac-toe") {
  tally seen;
  play_all(bm::mnk<3, 3, 3>{}, 0, seen);
  CHECK(seen.x_wins == 131184);
  CHECK(seen.o_wins == 77904);
  CHECK(seen.draws == 46080);
}

TEST_CASE("random m,n,k-games agree with a plain implementation at every ply") {
  CHECK(follow_random_games<3, 3, 3>(500, 1).draws > 20);
  CHECK(follow_random_games<1, 6, 2>(100, 2).wins > 50);
  CHECK(follow_random_games<6, 1, 3>(200, 3).wins > 20);
  CHECK(follow_random_games<3, 5, 4>(500, 4).draws > 50);   // longer than a column
  CHECK(follow_random_games<7, 11, 5>(300, 5).wins > 100);  // two words
  auto const gomoku = follow_random_games<15, 15, 5>(300, 6);
  CHECK(gomoku.wins > 250);
}

TEST_CASE("known m,n,k-games have their value under best play") {
  CHECK(value<3, 3, 3>() == bm::draw);
  CHECK(value<3, 4, 3>() == bm::win);  // a longer board is enough
  CHECK(value<4, 3, 3>() == bm::win);
  CHECK(value<2, 6, 3>() == bm::draw);
  CHECK(value<2, 2, 2>() == bm::win);
  CHECK(value<3, 4, 4>() == bm::draw);
  CHECK(value<1, 9, 3>() == bm::draw);
}

TEST_CASE("a plain minimax finds the same values of small m,n,k-games") {
  CHECK(static_cast<float>(plain_value({3, 3, 3})) == value<3, 3, 3>());
  CHECK(static_cast<float>(plain_value({3, 4, 3})) == value<3, 4, 3>());
  CHECK(static_cast<float>(plain_value({2, 5, 3})) == value<2, 5, 3>());
  CHECK(static_cast<float>(plain_value({2, 5, 2})) == value<2, 5, 2>());
  CHECK(static_cast<float>(plain_value({1, 9, 3})) == value<1, 9, 3>());
}

// A step of 1, 14, 15 or 16 cells goes around the edge where its columns do not follow each other.
TEST_CASE("exactly the 572 lines of Gomoku win, and nothing that goes around the edge") {
  int lines = 0, wrong = 0;
  for (int cell = 0; cell < 225; ++cell)
    for (int step : {1, 14, 15, 16}) {
      std::vector<int> stones;
      for (int i = 0; i < 5 && cell + i * step < 225; ++i) stones.push_back(cell + i * step);
      if (stones.size() < 5) continue;
      int const across = step == 15 ? 0 : step == 14 ? -4 : 4;
      bool const line = cell % 15 + across >= 0 && cell % 15 + across < 15;
      lines += line;
      wrong += with_stones(stones, 1).result() != (line ? std::optional(bm::loss) : std::nullopt);
      stones.erase(stones.begin() + cell % 5);  // four of the five
      wrong += with_stones(stones, 0).result().has_value();
    }
  CHECK(lines == 572);
  CHECK(wrong == 0);
}

TEST_CASE("six in a row win Gomoku, free style") {
  auto position = with_stones({112, 113, 114, 116, 117}, 0);
  CHECK_FALSE(position.result());
  position.play(115);
  CHECK(position.result() == bm::loss);
}

TEST_CASE("a board that fills up without a line is a draw, and a line on the last cell is a win") {
  auto drawn = after<bm::mnk<3, 3, 3>>({"a1", "b1", "c1", "b2", "a2", "c2", "b3", "a3"});
  CHECK_FALSE(drawn.result());
  drawn.play(8);
  CHECK(drawn.result() == bm::draw);
  CHECK(drawn.legal_actions().none());
  auto won = after<bm::mnk<3, 3, 3>>({"a1", "b1", "b2", "c1", "a3", "a2", "b3", "c2", "c3"});
  CHECK(won.result() == bm::loss);
}

TEST_CASE("m,n,k text is readable") {
  auto const position = after<bm::mnk<2, 3, 2>>({"a1", "c2"});
  CHECK(position.to_text() == "x../..o x");
  CHECK(position.draw() == "  a b c\n1 x . .\n2 . . o\nx to move\n");
  CHECK(position.ply() == 2);
  CHECK(bm::mnk<2, 3, 2>::name() == "mnk2x3x2");
  CHECK(bm::gomoku::name() == "gomoku");
  CHECK(bm::gomoku::action_text(224) == "o15");
  CHECK(bm::gomoku::parse_action("h8") == 112);
  CHECK_FALSE(bm::gomoku::parse_action("p1"));
}

TEST_CASE("impossible m,n,k positions are refused") {
  using game = bm::mnk<3, 4, 3>;
  CHECK(game::from_text("xxx./oo../.... o"));
  CHECK_FALSE(game::from_text("xxx./ooo./.... x"));  // x has won and is to move
  CHECK_FALSE(game::from_text("x.../..../.... x"));
  CHECK_FALSE(game::from_text("o.../..../.... o"));
  CHECK_FALSE(game::from_text("x.../....  o"));
}

TEST_CASE("a square board has eight symmetries, another four") {
  CHECK(bm::gomoku::num_symmetries == 8);
  CHECK(bm::mnk<3, 4, 3>::num_symmetries == 4);
}

TEST_CASE("a Gomoku position takes nine words") { CHECK(sizeof(bm::gomoku) == 72); }
