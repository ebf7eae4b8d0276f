#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/game_line.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace bm = batchmate;

namespace {

template <bm::game G>
bm::episode<G> episode_of(std::int64_t number, std::initializer_list<int> actions, G const& opening = {}) {
  bm::episode<G> played;
  played.number = number;
  played.final_position = opening;
  for (int const action : actions) {
    played.samples.push_back({.position = played.final_position, .episode = number, .action = action});
    played.final_position.play(action);
  }
  return played;
}

}  // namespace

TEST_CASE("a line holds the number, the first player's result and the moves") {
  CHECK(bm::game_line(episode_of<bm::connect4>(17, {3, 0, 3, 1, 3, 2, 3})) == "17 1-0 4 1 4 2 4 3 4");
  CHECK(
      bm::game_line(episode_of<bm::connect4>(2, {3, 0, 3, 1, 3, 2, 6, 0, 6, 0, 1, 0})).starts_with("2 0-1 "));
  CHECK(bm::game_line(episode_of<bm::tictactoe>(0, {0, 1, 2, 4, 3, 5, 7, 6, 8})).starts_with("0 1/2-1/2 "));
}

TEST_CASE("a game that did not begin at the usual start tells where it did, so that it can be played again") {
  bm::tictactoe opening;
  for (int const action : {0, 4, 8}) opening.play(action);
  auto const played = episode_of<bm::tictactoe>(5, {2, 6, 7, 1, 3, 5}, opening);
  std::string const line = bm::game_line(played);
  CHECK(line == "5 1/2-1/2 [x../.o./..x o] c1 a3 b3 b1 a2 c2");
  auto again = bm::tictactoe::from_text(line.substr(line.find('[') + 1, line.find(']') - line.find('[') - 1));
  REQUIRE(again);
  for (std::size_t at = line.find(']') + 2; at < line.size(); at += 3)
    again->play(bm::tictactoe::parse_action(line.substr(at, 2)).value());
  CHECK(again->to_text() == played.final_position.to_text());
}

TEST_CASE("the result is that of the player who is to move first in the line") {
  bm::tictactoe opening;
  for (int const action : {0, 3, 8}) opening.play(action);
  CHECK(bm::game_line(episode_of<bm::tictactoe>(1, {4, 1, 5}, opening)) == "1 1-0 [x../o../..x o] b2 b1 c2");
  bm::episode<bm::tictactoe> given_up = episode_of<bm::tictactoe>(1, {}, opening);
  given_up.resigned = true;
  CHECK(bm::game_line(given_up) == "1 0-1 [x../o../..x o] resigns");
}
