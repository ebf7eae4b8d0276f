#include <batchmate/game/tictactoe.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace bm = batchmate;

namespace {

struct tally {
  int x_wins = 0, o_wins = 0, draws = 0;
  std::set<std::uint64_t> keys;
  std::set<std::string> texts;
};

void play_all(bm::tictactoe const& position, int ply, tally& seen) {
  seen.keys.insert(position.key());
  seen.texts.insert(position.to_text());
  if (auto const result = position.result()) {
    if (*result == bm::draw)
      ++seen.draws;
    else
      ++(ply % 2 == 1 ? seen.x_wins : seen.o_wins);  // the player who just moved
    CHECK((*result == bm::draw || *result == bm::loss));
    return;
  }
  position.legal_actions().for_each([&](int action) {
    auto next = position;
    next.play(action);
    play_all(next, ply + 1, seen);
  });
}

bm::tictactoe after(std::initializer_list<int> actions) {
  bm::tictactoe position;
  for (int action : actions) position.play(action);
  return position;
}

}  // namespace

TEST_CASE("tic-tac-toe has 255168 games over 5478 positions") {
  tally seen;
  play_all({}, 0, seen);
  CHECK(seen.x_wins == 131184);
  CHECK(seen.o_wins == 77904);
  CHECK(seen.draws == 46080);
  CHECK(seen.keys.size() == 5478);
  CHECK(seen.texts.size() == 5478);
}

TEST_CASE("tic-tac-toe shows the player to move its own stones first") {
  auto position = after({0, 4, 8});
  bm::plane_bits<bm::tictactoe::input> planes;
  position.encode(planes);
  CHECK(planes.test(0, 1, 1));
  CHECK(planes.test(1, 0, 0));
  CHECK(planes.test(1, 2, 2));
  CHECK(planes.words[0] == 0b000010000);
  CHECK(planes.words[1] == 0b100000001);
}

TEST_CASE("every line of tic-tac-toe wins, for the player who made it") {
  for (auto const* board : {"xxx/oo./... o", "oo./xxx/... o", "oo./.../xxx o", "xoo/x../x.. o",
                            "ox./.xo/.x. o", "oox/..x/..x o", "xoo/.x./..x o", "oox/.x./x.. o"}) {
    auto const position = bm::tictactoe::from_text(board);
    REQUIRE(position);
    CHECK(position->result() == bm::loss);
  }
}

TEST_CASE("tic-tac-toe text is readable and names positions") {
  CHECK(after({0, 4}).to_text() == "x../.o./... x");
  CHECK(after({0, 4, 2}).draw() == "  a b c\n1 x . x\n2 . o .\n3 . . .\no to move\n");
  CHECK(bm::tictactoe::action_text(5) == "c2");
  CHECK(bm::tictactoe::parse_action("a3") == 6);
}

TEST_CASE("impossible tic-tac-toe positions are refused") {
  for (auto const* text : {"x../.o./... o", "xx./.../... x", "o../.../... x", "oo./x../... x",
                           "xxx/oo./o.. x", "xxx/xxx/xxx o", "x../.o./...", "x../.o./..? x"})
    CHECK_FALSE(bm::tictactoe::from_text(text));
}
