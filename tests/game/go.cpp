#include <batchmate/core/random.hpp>
#include <batchmate/game/conformance.hpp>
#include <batchmate/game/go.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bm = batchmate;

namespace {

/// Go as the rules say it: a grid, floods over it, and a set of all grids there have been.
class plain_go {
 public:
  explicit plain_go(int n) : n_(n), grid_(static_cast<std::size_t>(n * n), '.'), had_{grid_} {}

  bool legal(int cell) const {
    if (cell == n_ * n_) return true;
    return at(grid_, cell) == '.' && !had_.contains(after(cell));
  }
  void play(int cell) {
    passes_ = cell == n_ * n_ ? passes_ + 1 : 0;
    if (cell != n_ * n_) grid_ = after(cell);
    had_.insert(grid_);
    std::swap(mover_, other_);
  }
  /// Whether a stone on an empty cell leads to a grid there was before the present one.
  bool repeats(int cell) const { return after(cell) != grid_ && had_.contains(after(cell)); }
  int passes() const { return passes_; }
  char stone(int cell) const { return at(grid_, cell); }
  char mover() const { return mover_; }
  int liberties(int cell) const { return border(grid_, cell, '.'); }

  /// Black's points less white's.
  int lead() const {
    int sum = 0;
    for (int cell = 0; cell < n_ * n_; ++cell) {
      bool const x = stone(cell) == 'x' || (stone(cell) == '.' && border(grid_, cell, 'x') > 0);
      bool const o = stone(cell) == 'o' || (stone(cell) == '.' && border(grid_, cell, 'o') > 0);
      sum += x - o;
    }
    return sum;
  }

 private:
  static char at(std::string const& grid, int cell) { return grid[static_cast<std::size_t>(cell)]; }

  std::vector<int> around(int cell) const {
    std::vector<int> next;
    if (cell >= n_) next.push_back(cell - n_);
    if (cell % n_ > 0) next.push_back(cell - 1);
    if (cell % n_ < n_ - 1) next.push_back(cell + 1);
    if (cell < n_ * (n_ - 1)) next.push_back(cell + n_);
    return next;
  }
  /// What is connected with a cell through its own kind.
  std::vector<int> region(std::string const& grid, int cell) const {
    std::string seen = grid;
    std::vector<int> found{cell};
    seen[static_cast<std::size_t>(cell)] = '!';
    for (std::size_t i = 0; i < found.size(); ++i)
      for (int next : around(found[i]))
        if (at(seen, next) == at(grid, cell)) {
          found.push_back(next);
          seen[static_cast<std::size_t>(next)] = '!';
        }
    return found;
  }
  /// How many cells of a kind are next to that.
  int border(std::string const& grid, int cell, char kind) const {
    std::set<int> found;
    for (int member : region(grid, cell))
      for (int next : around(member))
        if (at(grid, next) == kind) found.insert(next);
    return static_cast<int>(found.size());
  }
  void clear_dead(std::string& grid, char colour) const {
    std::string rest = grid;
    for (int cell = 0; cell < n_ * n_; ++cell) {
      if (at(rest, cell) != colour) continue;
      bool const dead = border(grid, cell, '.') == 0;
      for (int member : region(rest, cell)) rest[static_cast<std::size_t>(member)] = dead ? '*' : '+';
    }
    for (int cell = 0; cell < n_ * n_; ++cell)
      if (at(rest, cell) == '*') grid[static_cast<std::size_t>(cell)] = '.';
  }
  std::string after(int cell) const {
    std::string grid = grid_;
    grid[static_cast<std::size_t>(cell)] = mover_;
    clear_dead(grid, other_);
    clear_dead(grid, mover_);
    return grid;
  }

  int n_;
  std::string grid_;
  std::set<std::string> had_;
  char mover_ = 'x', other_ = 'o';
  int passes_ = 0;
};

struct seen_in_games {
  int wrong = 0;     // plies at which the game and the plain rules differ
  int superko = 0;   // points, ply by ply, where a stone would lead to a board before the present one
  int at_limit = 0;  // games that the last ply ended
};

/// What a position of any size says.
struct view {
  std::string legal;                // (actions) 1 or 0
  std::vector<std::string> planes;  // (8, cells) 1 or 0
  bool over;
  double lead;
};

/// A game of any size.
struct any_go {
  virtual ~any_go() = default;
  virtual view look() const = 0;
  virtual void play(int action) = 0;
};

template <int N>
struct go_of : any_go {
  view look() const override {
    view v{"", {}, position.result().has_value(), position.black_lead() + position.komi()};
    for (int action = 0; action <= N * N; ++action)
      v.legal += position.legal_actions().test(action) ? '1' : '0';
    bm::plane_bits<bm::go<N>::input> planes;
    position.encode(planes);
    for (int plane = 0; plane < 8; ++plane) {
      v.planes.emplace_back();
      for (int cell = 0; cell < N * N; ++cell)
        v.planes.back() += planes.test(plane, cell / N, cell % N) ? '1' : '0';
    }
    return v;
  }
  void play(int action) override { position.play(action); }
  bm::go<N> position;
};

/// The same by the plain rules.
view look(plain_go const& plain, int n, int last, bool over) {
  view v{"", std::vector<std::string>(8), over, static_cast<double>(plain.lead())};
  for (int cell = 0; cell < n * n; ++cell) {
    char const stone = plain.stone(cell);
    bool const empty = stone == '.', mine = stone == plain.mover(), theirs = !mine && !empty;
    bool const legal = plain.legal(cell);
    int const liberties = empty ? 0 : plain.liberties(cell);
    v.legal += legal ? '1' : '0';
    int plane = 0;
    for (bool bit : {mine, theirs, mine && liberties == 1, mine && liberties == 2, theirs && liberties == 1,
                     theirs && liberties == 2, empty && !legal, cell == last})
      v.planes[static_cast<std::size_t>(plane++)] += bit ? '1' : '0';
  }
  v.legal += '1';
  return v;
}

/// Plays at random, but passes seldom, so that games are long and full of captures.
void follow_random_game(any_go& game, int n, std::uint64_t seed, seen_in_games& seen) {
  bm::random_stream random(bm::random_key{seed}.split(bm::purpose::test));
  plain_go plain(n);
  int const max_plies = std::max(72, 2 * n * n), pass = n * n;
  for (int ply = 0, last = pass;; ++ply) {
    view const found = game.look();
    view const expected = look(plain, n, last, plain.passes() == 2 || ply == max_plies);
    seen.wrong += found.legal != expected.legal || found.planes != expected.planes;
    seen.wrong += found.over != expected.over || found.lead != expected.lead;
    for (int cell = 0; cell < pass; ++cell)
      seen.superko += expected.planes[6][static_cast<std::size_t>(cell)] == '1' && plain.repeats(cell);
    seen.at_limit += ply == max_plies;
    if (expected.over) return;
    std::vector<int> points;
    for (int cell = 0; cell < pass; ++cell)
      if (expected.legal[static_cast<std::size_t>(cell)] == '1') points.push_back(cell);
    bool const passes = points.empty() || random.below(20) == 0;
    last = passes ? pass : points[random.below(static_cast<std::uint32_t>(points.size()))];
    game.play(last);
    plain.play(last);
  }
}

template <int N>
seen_in_games follow_random_games(int games) {
  seen_in_games seen;
  for (int g = 0; g < games; ++g) {
    go_of<N> game;
    follow_random_game(game, N, static_cast<std::uint64_t>(100 * N + g), seen);
  }
  CHECK(seen.wrong == 0);
  return seen;
}

/// Sequences of `depth` legal moves, as both find them.
template <class Game, class Legal, class Over>
long sequences(Game const& game, int depth, Legal legal, Over over) {
  if (depth == 0) return 1;
  if (over(game)) return 0;
  long count = 0;
  for (int action = 0; action <= 4; ++action) {
    if (!legal(game, action)) continue;
    Game next = game;
    next.play(action);
    count += sequences(next, depth - 1, legal, over);
  }
  return count;
}

/// Black's greatest lead on 2 x 2 points, if it is within the window, by alpha-beta search over whole games.
int solve(bm::go<2> const& position, int alpha, int beta, bool black) {
  if (position.result()) {
    int const lead = static_cast<int>(position.black_lead() + position.komi());
    return black ? lead : -lead;
  }
  auto const legal = position.legal_actions();
  for (int i = 0; i < legal.count() && alpha < beta; ++i) {
    auto next = position;
    next.play(legal.nth(legal.count() - 1 - i));  // the pass first
    alpha = std::max(alpha, -solve(next, -beta, -alpha, !black));
  }
  return alpha;
}

template <int N>
bm::go<N> from(std::string const& text) {
  auto const position = bm::go<N>::from_text(text);
  REQUIRE_MESSAGE(position, text);
  return *position;
}

/// Plays moves that must be legal.
template <int N>
void play(bm::go<N>& position, std::initializer_list<char const*> actions) {
  for (auto const* text : actions) {
    CAPTURE(text);
    int const action = bm::go<N>::parse_action(text).value();
    REQUIRE(position.legal_actions().test(action));
    position.play(action);
  }
}

template <int N>
bool legal(bm::go<N> const& position, char const* text) {
  return position.legal_actions().test(bm::go<N>::parse_action(text).value());
}

/// The stones as text.
template <int N>
std::string board(bm::go<N> const& position) {
  bm::plane_bits<bm::go<N>::input> planes;
  position.encode(planes);
  std::string text;
  char const* stones = position.player() == 0 ? "xo" : "ox";
  for (int cell = 0; cell < N * N; ++cell) {
    if (cell > 0 && cell % N == 0) text += '/';
    text += planes.test(0, cell / N, cell % N)   ? stones[0]
            : planes.test(1, cell / N, cell % N) ? stones[1]
                                                 : '.';
  }
  return text;
}

}  // namespace

TEST_CASE("random games of Go agree with floods over a grid and a set of all grids at every ply") {
  auto const two = follow_random_games<2>(100), three = follow_random_games<3>(100);
  auto const four = follow_random_games<4>(60), five = follow_random_games<5>(40);
  auto const six = follow_random_games<6>(12), seven = follow_random_games<7>(8);
  auto const eight = follow_random_games<8>(4), nine = follow_random_games<9>(4);
  for (auto const& seen : {two, three, four, five, six, seven, eight, nine}) CHECK(seen.superko > 0);
  for (auto const& seen : {four, five, six, seven, eight, nine}) CHECK(seen.at_limit > 0);
}

TEST_CASE("all sequences of eleven moves on 2 x 2 points are those of the plain rules") {
  auto const count = sequences(
      bm::go<2>(), 11, [](bm::go<2> const& g, int a) { return g.legal_actions().test(a); },
      [](bm::go<2> const& g) { return g.result().has_value(); });
  auto const expected = sequences(
      plain_go(2), 11, [](plain_go const& g, int a) { return g.legal(a); },
      [](plain_go const& g) { return g.passes() == 2; });
  CHECK(count == expected);
  CHECK(count > 10000);
}

TEST_CASE("black wins by one point on 2 x 2 points") {
  CHECK(solve({}, -5, 5, true) == 1);  // tromp.github.io/go.html
}

TEST_CASE("on a single point both can only pass") {
  bm::go<1> position;
  CHECK_FALSE(legal(position, "a1"));
  play(position, {"pass", "pass"});
  CHECK(position.result() == bm::loss);  // komi
}

TEST_CASE("Go keeps the contract of a game") {
  auto const small = bm::check_game<bm::go<3>>({.games = 30, .seed = 3});
  CHECK(small.first_wins > 0);
  CHECK(small.second_wins > 0);
  bm::check_game<bm::go9>({.games = 2, .seed = 4});
  CHECK(bm::check_game<bm::go13>({.games = 1, .seed = 5}).longest > 169);
  CHECK(bm::check_game<bm::go19>({.games = 1, .seed = 6}).longest > 361);
}

TEST_CASE("a ko may be taken back after two other moves, not before") {
  auto position = from<4>(".xo./x.xo/.xo./.... o 7.5");
  play(position, {"b2"});
  CHECK(board(position) == ".xo./xo.o/.xo./....");
  CHECK_FALSE(legal(position, "c2"));
  play(position, {"a4", "d4"});
  CHECK(legal(position, "c2"));
  play(position, {"c2"});
  CHECK(board(position) == ".xo./x.xo/.xo./x..o");
  CHECK_FALSE(legal(position, "b2"));
}

TEST_CASE("a ko may not be taken back after two passes of one player either") {
  auto position = from<4>(".xo./x.xo/.xo./.... o 7.5");
  play(position, {"b2", "pass"});  // o has taken, x passed: another board is needed to let x take back
  play(position, {"d4"});
  CHECK(legal(position, "c2"));
  CHECK_FALSE(position.result());
}

TEST_CASE("sending two stones and taking one back may not repeat the board") {
  std::string const start = ".o.o./xxoo./...../...../.....";
  auto position = from<5>(start + " o 7.5");
  play(position, {"a1", "c1"});
  CHECK(board(position) == "..xo./xxoo./...../...../.....");
  CHECK_FALSE(legal(position, "b1"));  // the board of the start
  play(position, {"pass", "e5"});
  CHECK(legal(position, "b1"));
  play(position, {"b1"});
  CHECK(board(position) == ".o.o./xxoo./...../...../....x");
}

TEST_CASE("the last of six captures round a triple ko would repeat the board") {
  std::string const lines = ".xo..../", white = "xo.o.../", black = "x.xo.../";
  auto position = from<7>(lines + white + lines + black + lines + white + ".xo.... x 7.5");
  auto const start = board(position);
  play(position, {"c2"});
  CHECK_FALSE(legal(position, "b2"));
  play(position, {"b4", "c6", "b2", "c4"});
  CHECK_FALSE(legal(position, "b4"));  // a ko
  CHECK_FALSE(legal(position, "b6"));  // superko
  CHECK(legal(position, "g7"));
  play(position, {"pass", "g7"});
  CHECK(legal(position, "b6"));
  play(position, {"b6"});
  CHECK(board(position) == start.substr(0, start.size() - 1) + "x");
}

TEST_CASE("a suicide may repeat a board, which superko forbids too") {
  // The suicide of a1 and b1 comes back to the first board, unless the opponent has moved meanwhile.
  auto position = from<5>("..o../oo.../...../...../..... x 7.5");
  play(position, {"a1", "pass"});
  CHECK_FALSE(legal(position, "b1"));
  position = from<5>("..o../oo.../...../...../..... x 7.5");
  play(position, {"a1", "e5"});
  CHECK(legal(position, "b1"));
  play(position, {"b1"});
  CHECK(board(position) == "..o../oo.../...../...../....o");
}

TEST_CASE("a single stone may not take itself off the board, a chain may, and a capture is no suicide") {
  auto const eye = from<5>(".o.../o..../...../...../..... x 7.5");
  CHECK_FALSE(legal(eye, "a1"));
  CHECK(legal(from<5>(".o.../o..../...../...../..... o 7.5"), "a1"));  // one's own eye may be filled
  auto chain = from<5>(".xo../xxo../ooo../...../..... x 7.5");
  CHECK(legal(chain, "a1"));
  play(chain, {"a1"});
  CHECK(board(chain) == "..o../..o../ooo../...../.....");
  auto capture = from<5>(".ox../oxx../x..../...../..... x 7.5");
  play(capture, {"a1"});
  CHECK(board(capture) == "x.x../.xx../x..../...../.....");
}

TEST_CASE("Go is scored by area, komi taken off, for the player to move") {
  auto position = from<5>(".x.o./xx.oo/.x.o./xx.oo/.x.o. x 0");
  play(position, {"pass", "pass"});
  CHECK(position.black_lead() == 0);
  CHECK(position.result() == bm::draw);
  auto komi = from<5>(".x.o./xx.oo/.x.o./xx.oo/.x.o. x 0.5");
  play(komi, {"pass", "pass"});
  CHECK(komi.result() == bm::loss);
  komi = from<5>(".x.o./xx.oo/.x.o./xx.oo/.x.o. o -0.5");
  CHECK_FALSE(komi.result());
  play(komi, {"pass"});
  CHECK_FALSE(komi.result());
  play(komi, {"pass"});
  CHECK(komi.result() == bm::loss);  // white is to move
  CHECK(komi.black_lead() == 0.5);
  auto dead = from<5>("xxxxx/...../..o../...../..... x 0");
  play(dead, {"pass", "pass"});
  CHECK(dead.black_lead() == 4);  // the lone stone stands as it is
  auto passed = from<5>("...../...../..x../...../..... o 24.5");
  play(passed, {"pass", "a1", "pass", "pass"});  // not in a row
  CHECK(passed.black_lead() == 0.5);
}

TEST_CASE("a game of Go ends at its last ply, scored as it stands") {
  bm::go<5> position;
  for (int ply = 0; ply < bm::go<5>::max_plies; ++ply) {
    REQUIRE_FALSE(position.result());
    position.play(position.legal_actions().first());
  }
  CHECK(position.ply() == 72);
  CHECK(position.result() == (position.black_lead() > 0 ? bm::win : bm::loss));
  CHECK(bm::go9::max_plies == 162);
  CHECK(bm::go19::max_plies == 722);
}

TEST_CASE("the network is told komi, a pass and the last move as the player to move sees them") {
  auto position = bm::go<5>::with_komi(6.5);
  float globals[2];
  position.encode_globals(globals);
  CHECK(globals[0] == doctest::Approx(-0.65));
  CHECK(globals[1] == 0);
  play(position, {"c2"});
  bm::plane_bits<bm::go<5>::input> planes;
  position.encode(planes);
  CHECK(planes.test(7, 1, 2));
  CHECK(planes.test(1, 1, 2));
  play(position, {"pass", "pass"});
  position = bm::go<5>::with_komi(6.5);
  play(position, {"c2", "a1", "pass"});
  position.encode_globals(globals);
  CHECK(globals[0] == doctest::Approx(0.65));
  CHECK(globals[1] == 1);
  planes = {};
  position.encode(planes);
  for (int cell = 0; cell < 25; ++cell) CHECK_FALSE(planes.test(7, cell / 5, cell % 5));
  CHECK_THROWS_WITH_AS(bm::go9::with_komi(7.25),
                       "go: komi must be a multiple of 0.5 from -400 to 400, got 7.25", bm::contract_error);
  CHECK_THROWS_AS(bm::go9::with_komi(401), bm::contract_error);
}

TEST_CASE("Go text keeps the whole history; a bare board has none") {
  bm::go<3> position;
  play(position, {"b2", "pass", "c3"});
  CHECK(position.to_text() == ".../.../... x 7.5 b2 pass c3");
  CHECK(position.draw() == "  a b c\n1 . . .\n2 . x .\n3 . . x\no to move, komi 7.5\n");
  auto ko = from<4>(".xo./x.xo/.xo./.... o 7.5");
  play(ko, {"b2"});
  CHECK(ko.to_text() == ".xo./x.xo/.xo./.... o 7.5 b2");
  CHECK_FALSE(legal(from<4>(ko.to_text()), "c2"));
  CHECK(legal(from<4>(board(ko) + " x 7.5"), "c2"));
  CHECK(bm::go9::name() == "go9");
  CHECK(bm::go19::action_text(360) == "s19");
  CHECK(bm::go19::action_text(361) == "pass");
}

TEST_CASE("text that is no Go position is refused") {
  for (auto const* text :
       {".../.../... x", ".../.../... x ", ".../.../...  7.5", ".../.../... x 7.25", ".../.../... x 7.50",
        ".../.../... x 07", ".../.../... x -0", ".../.../... x 400.5", ".../.../... x 7.5 ",
        ".../.../... x 7.5  b2", ".../.../... x 7.5 b4", ".../.../... x 7.5 b2 b2",
        ".../.../... x 7.5 pass pass b2", ".../.../... x 7.5 b2 ", "xox/.../... x 7.5 a", "xo./oo./... x 7.5",
        "xxx/xxx/xxx x 7.5", ".o./o../... x 7.5 a1", ".../.../.. x 7.5"})
    CHECK_MESSAGE(!bm::go<3>::from_text(text), text);
  CHECK(bm::go<3>::from_text("xo./.o./... x -400"));
}

TEST_CASE("Go positions are small") {
  CHECK(sizeof(bm::go9) <= 624);
  CHECK(sizeof(bm::go13) <= 1200);
  CHECK(sizeof(bm::go19) <= 3216);
}
