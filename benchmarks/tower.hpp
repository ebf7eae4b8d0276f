#pragma once

#include <batchmate/net/random_network.hpp>
#include <batchmate/onednn.hpp>

#include <string>

namespace batchmate::benchmarks {

/// The extents of a residual tower.
struct tower_size {
  int blocks, channels;
  /// `10x128`.
  std::string name() const { return concat(blocks, "x", channels); }
};

/// The two towers of the ladder.
inline constexpr tower_size towers[] = {{10, 128}, {4, 32}};

/// The `onednn` evaluator of a random network for a game.
template <game G>
onednn onednn_of(tower_size const& size) {
  return onednn(random_network({.input = G::input,
                                .num_globals = num_globals<G>,
                                .num_actions = G::num_actions,
                                .blocks = size.blocks,
                                .channels = size.channels},
                               1));
}

}  // namespace batchmate::benchmarks
