#include "network_rows.hpp"
#include "support/nim.hpp"

#include <batchmate/eval/rollout.hpp>
#include <batchmate/game/connect4.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <vector>

using namespace batchmate;

namespace {

/// The expected result of random play for the player to move.
template <game G>
double exact_value(G const& position) {
  if (auto const result = position.result()) return *result;
  double sum = 0;
  auto const legal = position.legal_actions();
  legal.for_each([&](int action) {
    G next = position;
    next.play(action);
    sum -= exact_value(next);
  });
  return sum / legal.count();
}

/// A position of a random game, before its end.
template <game G>
G random_position_of(std::uint64_t seed, int plies) {
  random_stream random(random_key{seed}.split(purpose::test));
  G position;
  for (int ply = 0; ply < plies; ++ply) {
    G next = position;
    auto const legal = next.legal_actions();
    next.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
    if (next.result()) break;
    position = next;
  }
  return position;
}

}  // namespace

TEST_CASE_TEMPLATE("many playouts come close to the exact value of random play", G, nim, tictactoe) {
  for (int plies = 0; plies < 4; ++plies) {
    G const position = random_position_of<G>(1, plies);
    CAPTURE(plies);
    rollout const evaluator{.playouts = 20'000, .seed = 3};
    CHECK(std::abs(evaluator.value_of(position) - exact_value(position)) < 0.03);  // four standard deviations
  }
}

TEST_CASE("a position with one way to end is known exactly, from both sides") {
  nim one;
  one.stones = 1;
  CHECK(rollout{}.value_of(one) == win);
  nim over;
  over.stones = 0;
  CHECK(rollout{}.value_of(over) == loss);
}

TEST_CASE_TEMPLATE("an answer depends on the position and the seed alone", G, nim, tictactoe, connect4) {
  std::vector<G> positions;
  for (int i = 0; i < 40; ++i)
    positions.push_back(random_position_of<G>(static_cast<std::uint64_t>(i), i % 6));
  filled_batch<G> all(positions), again(positions);
  rollout evaluator{.playouts = 3, .seed = 5};
  evaluator.submit(0, all.view());
  for (int b = 39; b >= 0; --b) {
    evaluator.submit(1, again.view().slice(b, 1));
    evaluator.wait(1);
  }
  CHECK(std::memcmp(all.values.data(), again.values.data(), 40 * sizeof(float)) == 0);
  for (int b = 0; b < 40; ++b) {
    int const legal = all.rows[static_cast<std::size_t>(b)].legal.count();
    CHECK(all.view().priors_of(b)[legal - 1] == 1.0f / static_cast<float>(legal));
    CHECK(std::abs(all.values[static_cast<std::size_t>(b)]) <= 1);
  }
  rollout{.playouts = 3, .seed = 6}.submit(0, again.view());
  CHECK(all.values != again.values);
}

TEST_CASE("different positions are played with different random numbers") {
  std::vector<float> values;
  for (int i = 0; i < 30; ++i) {
    auto const position = random_position_of<connect4>(static_cast<std::uint64_t>(i), 3);
    values.push_back(rollout{.playouts = 101}.value_of(position));
  }
  std::sort(values.begin(), values.end());
  CHECK(std::unique(values.begin(), values.end()) - values.begin() > 10);
}

TEST_CASE("no playouts are refused, and the identity says all settings") {
  CHECK_THROWS_AS(rollout{.playouts = 0}.reserve({}), contract_error);
  CHECK(rollout{.playouts = 2, .seed = 7}.identity() == "rollout:2:7");
  CHECK_FALSE(needs_planes(rollout{}));
  static_assert(require_evaluator<rollout, nim>());
}
