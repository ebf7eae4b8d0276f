#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/game_line.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace bm = batchmate;

namespace {

template <bm::game G>
bm::episode<G> episode_of(std::int64_t number, std::initializer_list<int> actions) {
  bm::episode<G> played;
  played.number = number;
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
