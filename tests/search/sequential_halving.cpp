#include <batchmate/search/sequential_halving.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bm = batchmate;

namespace {

/// For every simulation, how often its move has been visited before.
std::vector<int> visits_of(int simulations, int moves) {
  std::vector<int> visits;
  bm::sequential_halving schedule(simulations, moves);
  while (static_cast<int>(visits.size()) < simulations) {
    visits.insert(visits.end(), static_cast<std::size_t>(schedule.moves()), schedule.visits());
    schedule.next();
  }
  visits.resize(static_cast<std::size_t>(simulations));
  return visits;
}

/// The same as the algorithm is usually told: phase after phase, with the visits counted move by move.
std::vector<int> textbook(int simulations, int moves) {
  std::vector<int> visits, counts(static_cast<std::size_t>(moves), 0);
  double const phases = std::ceil(std::log2(moves));
  int left = moves;
  while (static_cast<int>(visits.size()) < simulations) {
    int const share = moves == 1 ? simulations : static_cast<int>(simulations / (phases * left));
    for (int round = 0; round < std::max(1, share); ++round)
      for (int move = 0; move < left; ++move) visits.push_back(counts[static_cast<std::size_t>(move)]++);
    left = std::min(moves, std::max(2, left / 2));
  }
  visits.resize(static_cast<std::size_t>(simulations));
  return visits;
}

}  // namespace

TEST_CASE("visits are those worked out by hand") {
  using expected = std::vector<int>;
  CHECK(visits_of(1, 1) == expected{0});
  CHECK(visits_of(4, 1) == expected{0, 1, 2, 3});
  CHECK(visits_of(1, 16) == expected{0});
  CHECK(visits_of(5, 2) == expected{0, 0, 1, 1, 2});
  // Two phases of four simulations: once each, then the better two twice.
  CHECK(visits_of(8, 4) == expected{0, 0, 0, 0, 1, 1, 2, 2});
  // Half of three is one, but two stay; 7 / (2 * 3) and 7 / (2 * 2) are one round each.
  CHECK(visits_of(7, 3) == expected{0, 0, 0, 1, 1, 2, 2});
  // Three phases of eight simulations, and two more go to the last two.
  CHECK(visits_of(26, 8) ==
        expected{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7});
}

TEST_CASE("visits are the textbook's for all small numbers") {
  for (int moves = 1; moves <= 40; ++moves)
    for (int simulations = 1; simulations <= 260; ++simulations) {
      CAPTURE(moves);
      CAPTURE(simulations);
      REQUIRE(visits_of(simulations, moves) == textbook(simulations, moves));
    }
}

TEST_CASE("next tells when moves are dropped") {
  bm::sequential_halving schedule(8, 4);
  CHECK(schedule.moves() == 4);
  CHECK(schedule.next());
  CHECK(schedule.moves() == 2);
  for (int round = 0; round < 10; ++round) CHECK_FALSE(schedule.next());
  CHECK(schedule.moves() == 2);
  CHECK(schedule.visits() == 11);
}
