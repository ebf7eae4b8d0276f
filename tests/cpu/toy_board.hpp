#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/eval/concepts.hpp>
#include <batchmate/net/random_network.hpp>

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace toys {

namespace bm = batchmate;

/// A game of any extents whose positions are noise: good for evaluators, never to be played.
template <int Planes, int Rows, int Columns, int Actions, int Globals = 0>
struct toy_board {
  static constexpr int num_actions = Actions;
  static constexpr bm::shape input{Planes, Rows, Columns};
  static constexpr int max_plies = 1;
  static constexpr int num_globals = Globals;

  std::uint64_t seed = 0;

  bm::action_set<Actions> legal_actions() const {
    std::mt19937_64 random(seed);
    bm::action_set<Actions> legal;
    legal.set(static_cast<int>(random() % Actions));
    for (int a = 0; a < Actions; ++a)
      if (random() % 2) legal.set(a);
    return legal;
  }
  void play(int) { ++seed; }
  std::optional<float> result() const { return std::nullopt; }
  void encode(bm::plane_bits<input>& planes) const {
    std::mt19937_64 random(seed + 1);
    for (int p = 0; p < Planes; ++p)
      for (int r = 0; r < Rows; ++r)
        for (int c = 0; c < Columns; ++c)
          if (random() % 3 == 0) planes.set(p, r, c);
  }
  void encode_globals(float* out) const {
    for (int g = 0; g < Globals; ++g)
      out[g] = static_cast<float>((seed + static_cast<std::uint64_t>(g)) % 17) / 5 - 1;
  }
};

/// A batch that owns its arrays.
template <bm::game G>
struct owned_batch {
  std::vector<G> positions;
  std::vector<bm::row<G>> rows;
  std::vector<float> values, priors;

  explicit owned_batch(std::vector<G> of)
      : positions(std::move(of)),
        rows(positions.size()),
        values(positions.size()),
        priors(positions.size() * G::num_actions) {
    for (std::size_t b = 0; b < rows.size(); ++b) {
      rows[b].legal = positions[b].legal_actions();
      rows[b].encode(positions[b]);
    }
  }

  bm::batch<G> view() {
    return {static_cast<int>(positions.size()), positions.data(), rows.data(), values.data(), priors.data()};
  }
};

/// `count` different positions.
template <class Toy>
std::vector<Toy> positions(int count, std::uint64_t seed) {
  std::vector<Toy> all;
  for (int i = 0; i < count; ++i) all.push_back(Toy{seed + static_cast<std::uint64_t>(i) * 1000});
  return all;
}

/// A random network that fits the game.
template <bm::game G>
bm::network network_for(int blocks, int channels, int value_outputs, std::uint64_t seed) {
  return bm::random_network({.input = G::input,
                             .num_globals = bm::num_globals<G>,
                             .num_actions = G::num_actions,
                             .blocks = blocks,
                             .channels = channels,
                             .value_outputs = value_outputs},
                            seed);
}

}  // namespace toys
