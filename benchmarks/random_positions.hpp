#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>

#include <vector>

namespace batchmate::benchmarks {

/// `count` unfinished positions from random games, of all plies that those reach.
template <game G>
std::vector<G> random_positions(int count) {
  std::vector<G> found;
  random_stream random(random_key{1}.split(purpose::test));
  G position{};
  while (static_cast<int>(found.size()) < count) {
    if (position.result()) position = G{};
    auto legal = position.legal_actions();
    std::vector<int> actions;
    for (int a = 0; a < G::num_actions; ++a)
      if (legal.test(a)) actions.push_back(a);
    found.push_back(position);
    position.play(actions[random.below(static_cast<std::uint32_t>(actions.size()))]);
  }
  return found;
}

}  // namespace batchmate::benchmarks
