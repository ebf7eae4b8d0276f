#include "../../examples/own_game/nim.hpp"

#include <batchmate/game/conformance.hpp>

#include <doctest/doctest.h>

TEST_CASE("the game that users copy keeps the promises of a game") {
  auto const seen = batchmate::check_game<nim>({.games = 300, .no_move_loses = true});
  CHECK(seen.draws == 0);
  CHECK(seen.longest >= 8);  // of 10, all ones, which is rare
}
