#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/eval/concepts.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace batchmate {

/// Equal priors, and as value the mean result of games played on at random: what one knows of a position
/// without a network. The random numbers follow from the position and the seed alone.
struct rollout {
  int playouts = 1;        ///< games played from each position, 1 or more
  std::uint64_t seed = 0;  ///< another seed gives other games

  static constexpr bool needs_planes() { return false; }

  /// Throws `contract_error` unless there are playouts.
  void reserve(reservation const&) const {
    expects(playouts > 0, "rollout: playouts must be positive, got ", playouts);
  }

  template <game G>
  void submit(int, batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b) {
      int const legal = rows.rows[b].legal.count();
      std::fill_n(rows.priors_of(b), legal, 1.0f / static_cast<float>(legal));
      rows.values[b] = value_of(rows.positions[b]);
    }
  }
  void wait(int) const {}
  std::string identity() const { return concat("rollout:", playouts, ":", seed); }

  /// The mean result of the playouts for the player to move, in [-1, 1].
  template <game G>
  float value_of(G const& position) const {
    random_stream random(random_key{seed}.split(purpose::rollout).split(key_of(position)));
    float sum = 0;
    for (int i = 0; i < playouts; ++i) sum += play_on(position, random);
    return sum / static_cast<float>(playouts);
  }

 private:
  /// A number that equal positions share.
  template <game G>
  static std::uint64_t key_of(G const& position) {
    if constexpr (game_with_key<G>) {
      return position.key();
    } else {
      row<G> seen{};
      seen.encode(position);
      seen.legal = position.legal_actions();
      random_key key;
      for (auto const word : seen.planes.words) key = key.split(word);
      for (auto const word : seen.legal.words) key = key.split(word);
      return key.state;
    }
  }

  /// The result of one random game for the player to move at `position`.
  template <game G>
  static float play_on(G position, random_stream& random) {
    for (float sign = 1;; sign = -sign) {
      if (std::optional<float> const result = checked_result(position)) return sign * *result;
      auto const legal = position.legal_actions();
      auto const chosen = random.below(static_cast<std::uint32_t>(legal.count()));
      position.play(legal.nth(static_cast<int>(chosen)));
    }
  }
};

}  // namespace batchmate
