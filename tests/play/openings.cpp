#include <batchmate/batch/lockstep.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/play/openings.hpp>
#include <batchmate/play/self_play.hpp>
#include <batchmate/search/puct.hpp>

#include "../support/fake_network.hpp"
#include "../support/nim.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <map>
#include <set>
#include <string>

namespace bm = batchmate;

using G = bm::connect4;

TEST_CASE("games begin at the positions in turn") {
  G second;
  second.play(3);
  bm::openings<G> const from{.positions = {G{}, second}};
  for (int i = 0; i < 6; ++i) CHECK(from(bm::random_key{1}, i).to_text() == (i % 2 ? second : G{}).to_text());
}

TEST_CASE("random plies are between 0 and so many, each equally often, and a function of seed and number") {
  bm::openings<G> const from{.random_plies = 3};
  std::map<int, int> plies;
  std::set<std::string> seen;
  for (int i = 0; i < 4000; ++i) {
    G const at = from(bm::random_key{7}, i);
    CHECK(at.to_text() == from(bm::random_key{7}, i).to_text());
    bm::plane_bits<G::input> planes{};
    at.encode(planes);
    int stones = 0;
    for (auto word : planes.words) stones += std::popcount(word);
    ++plies[stones];
    seen.insert(at.to_text());
  }
  REQUIRE(plies.size() == 4);
  for (auto const& [count, times] : plies) {
    CHECK(times > 850);  // 1000 expected, 27 a standard deviation
    CHECK(times < 1150);
  }
  CHECK(seen.size() > 200);
  CHECK(from(bm::random_key{7}, 5).to_text() + from(bm::random_key{7}, 6).to_text() !=
        from(bm::random_key{8}, 5).to_text() + from(bm::random_key{8}, 6).to_text());
}

TEST_CASE("random plies never finish a game") {
  bm::openings<nim> const from{.random_plies = 30};
  for (int i = 0; i < 500; ++i) CHECK_FALSE(from(bm::random_key{3}, i).result());
}

TEST_CASE("openings that no game can begin at are refused") {
  CHECK_THROWS_WITH_AS((bm::openings<G>{.positions = {}}.check()),
                       "openings: there must be a position to begin at", bm::contract_error);
  nim over;
  over.stones = 0;
  CHECK_THROWS_WITH_AS((bm::openings<nim>{.positions = {nim{}, over}}.check()),
                       "openings: position 1 is a finished game", bm::contract_error);
  CHECK_THROWS_AS((bm::openings<G>{.random_plies = -1}.check()), bm::contract_error);
}

TEST_CASE("self-play begins its games there, under every batching the same") {
  bm::openings<G> const from{.random_plies = 4};
  std::uint64_t hashes[2];
  for (int games : {1, 16}) {
    bm::self_play play{from, bm::puct{.simulations = 5}, bm::lockstep{.games = games}, fake_network{}};
    hashes[games > 1] =
        play.run({.episodes = 30, .seed = 4},
                 [&](bm::episode<G> const& e) {
                   CHECK(e.samples.front().position.to_text() == from(bm::random_key{4}, e.number).to_text());
                   CHECK(e.samples.front().ply == 0);
                 })
            .episodes_hash;
  }
  CHECK(hashes[0] == hashes[1]);
}
