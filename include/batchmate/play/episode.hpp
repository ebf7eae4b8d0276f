#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchmate {

/// One move of a finished game, as a training example.
template <game G>
struct sample {
  G position{};              ///< before the move
  std::int64_t episode = 0;  ///< the game's number
  int ply = 0;               ///< moves played before, from the episode's first position
  int action = 0;            ///< the move played
  int simulations = 0;       ///< new simulations the search took
  int network = 0;           ///< which of the run's networks the search asked, by `run_options::network`
  bool full = true;          ///< the search was not cut short: its target is worth learning
  float surprise = 0;        ///< how far the target is from the network's policy, in nats; 0 where unknown
  float value = 0;           ///< the search's expected result for the player to move, in [-1, 1]
  float outcome = 0;         ///< the game's result for the player to move, in [-1, 1]
  std::array<float, G::num_actions> policy{};  ///< the search's training target: not negative, sums to 1
};

/// One finished game.
template <game G>
struct episode {
  std::int64_t number = 0;      ///< which of the run's games, from 0
  G final_position{};           ///< where it ended
  bool resigned = false;        ///< the player to move there gave up; else the game is over there
  bool played_through = false;  ///< nobody was let resign, and somebody would have
  bool saved = false;           ///< the one who would have resigned first did not lose after all
  /// The first ply at which somebody would have resigned, but was not let; -1 if nobody. A game that changes runs
  /// takes it along; it is not recorded.
  int would_resign = -1;
  std::vector<sample<G>> samples;  ///< one a move, in order

  /// The result for the player to move at the end, in [-1, 1].
  float result() const { return resigned ? loss : final_position.result().value_or(draw); }

  /// A hash of the moves, training targets and values.
  std::uint64_t hash() const {
    random_key key{static_cast<std::uint64_t>(number)};
    for (sample<G> const& s : samples) {
      key = key.split(static_cast<std::uint64_t>(s.action)).split(std::bit_cast<std::uint32_t>(s.value));
      for (float p : s.policy)
        key.state = key.state * 0x9e3779b97f4a7c15ULL + std::bit_cast<std::uint32_t>(p);
    }
    return key.split(samples.size()).state;
  }
};

/// An episode's share of `statistics::episodes_hash`, which is the sum over all episodes.
template <game G>
std::uint64_t numbered_hash(episode<G> const& finished) {
  return random_key{finished.hash()}.split(static_cast<std::uint64_t>(finished.number)).state;
}

/// Writes the result of a finished game into its samples.
template <game G>
void set_outcomes(episode<G>& finished) {
  float outcome = finished.result();
  for (auto s = finished.samples.rbegin(); s != finished.samples.rend(); ++s) s->outcome = outcome = -outcome;
}

}  // namespace batchmate
