#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>
#include <batchmate/play/game_record.hpp>

#include <doctest/doctest.h>

#include "../net/temporary_folder.hpp"

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>

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

std::string text_of(std::filesystem::path const& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a line holds the number, the first player's result and the moves") {
  CHECK(bm::game_line(episode_of<bm::connect4>(17, {3, 0, 3, 1, 3, 2, 3})) == "17 1-0 4 1 4 2 4 3 4");
  CHECK(
      bm::game_line(episode_of<bm::connect4>(2, {3, 0, 3, 1, 3, 2, 6, 0, 6, 0, 1, 0})).starts_with("2 0-1 "));
  CHECK(bm::game_line(episode_of<bm::tictactoe>(0, {0, 1, 2, 4, 3, 5, 7, 6, 8})).starts_with("0 1/2-1/2 "));
}

TEST_CASE("every line is in the file as soon as it has been written") {
  temporary_folder const folder;
  bm::game_record<bm::connect4> record(folder / "games.txt");
  std::string const head = text_of(folder / "games.txt");
  CHECK(head == "# connect4: number, result for the first player, moves\n");
  record(episode_of<bm::connect4>(0, {3, 0, 3, 1, 3, 2, 3}));
  CHECK(text_of(folder / "games.txt") == head + "0 1-0 4 1 4 2 4 3 4\n");
  record(episode_of<bm::connect4>(1, {3, 0, 3, 0, 3, 0, 3}));
  record.finish();
  CHECK(text_of(folder / "games.txt") == head + "0 1-0 4 1 4 2 4 3 4\n1 1-0 4 1 4 1 4 1 4\n");
}

TEST_CASE("a file that cannot be created is named with the reason") {
  temporary_folder const folder;
  std::string const path = folder / "missing/games.txt";
  CHECK_THROWS_WITH_AS(bm::game_record<bm::connect4>{path},
                       (path + ": cannot create: No such file or directory").c_str(), bm::file_error);
}

TEST_CASE("a full disk is an error with the reason" *
          doctest::skip(!std::filesystem::is_character_file("/dev/full"))) {
  CHECK_THROWS_WITH_AS(bm::game_record<bm::connect4>{"/dev/full"},
                       "/dev/full: cannot write: No space left on device", bm::file_error);
}
