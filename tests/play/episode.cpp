#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/episode.hpp>

#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <set>

namespace bm = batchmate;

namespace {

bm::episode<nim> three_moves() {
  bm::episode<nim> e;
  e.number = 7;
  nim position;
  for (int ply = 0; ply < 3; ++ply) {
    e.samples.push_back({.position = position,
                         .episode = 7,
                         .ply = ply,
                         .action = ply,
                         .simulations = 10,
                         .value = 0.25f * static_cast<float>(ply),
                         .policy = {0.5f, 0.25f, 0.25f}});
    position.play(ply);
  }
  e.final_position = position;
  return e;
}

}  // namespace

TEST_CASE("outcomes alternate in sign back from the end, for the player to move") {
  bm::episode<nim> e = three_moves();
  e.final_position.stones = 0;  // the player to move has lost, so the third move won
  bm::set_outcomes(e);
  CHECK(e.samples[2].outcome == bm::win);
  CHECK(e.samples[1].outcome == bm::loss);
  CHECK(e.samples[0].outcome == bm::win);
}

TEST_CASE("a drawn game is a draw for both") {
  bm::episode<bm::tictactoe> e;
  auto const end = bm::tictactoe::from_text("xox/xoo/oxx o");
  REQUIRE(end.has_value());
  e.final_position = *end;
  e.samples.resize(9);
  bm::set_outcomes(e);
  for (auto const& s : e.samples) CHECK(s.outcome == 0);
}

TEST_CASE("the hash depends on number, moves, values, targets and length, and on nothing else") {
  std::set<std::uint64_t> hashes;
  bm::episode<nim> e = three_moves();
  hashes.insert(e.hash());
  e.samples[0].outcome = 1;
  e.samples[1].simulations = 3;
  CHECK(hashes.count(e.hash()) == 1);
  e.number = 8;
  hashes.insert(e.hash());
  e = three_moves();
  e.samples[1].action = 2;
  hashes.insert(e.hash());
  e = three_moves();
  e.samples[2].value = 0.125f;
  hashes.insert(e.hash());
  e = three_moves();
  std::swap(e.samples[0].policy[0], e.samples[0].policy[1]);
  hashes.insert(e.hash());
  e = three_moves();
  e.samples.pop_back();
  hashes.insert(e.hash());
  CHECK(hashes.size() == 6);
}
