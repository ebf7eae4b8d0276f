#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchmate {

/// Where a run's games begin.
template <game G>
struct openings {
  std::vector<G> positions{G{}};  ///< episode i begins at the one of number i modulo their count
  int random_plies = 0;           ///< 0 to so many random moves follow, each number of them equally likely

  /// Throws `contract_error` if no game can begin so.
  void check() const {
    expects(!positions.empty(), "openings: there must be a position to begin at");
    expects(random_plies >= 0, "openings: random_plies must not be negative, got ", random_plies);
    for (std::size_t i = 0; i < positions.size(); ++i)
      expects(!positions[i].result(), "openings: position ", i, " is a finished game");
  }

  /// The first position of an episode, a function of the run's seed and the episode's number. It is not finished:
  /// random moves stop before one that would end the game.
  G operator()(random_key seed, std::int64_t number) const {
    G at = positions[static_cast<std::size_t>(number) % positions.size()];
    if (random_plies == 0) return at;
    random_stream random(seed.split(static_cast<std::uint64_t>(number)).split(purpose::opening));
    for (auto left = random.below(static_cast<std::uint32_t>(random_plies) + 1); left > 0; --left) {
      auto const legal = at.legal_actions();
      G next = at;
      next.play(legal.nth(static_cast<int>(random.below(static_cast<std::uint32_t>(legal.count())))));
      if (next.result()) break;
      at = next;
    }
    return at;
  }
};

}  // namespace batchmate
