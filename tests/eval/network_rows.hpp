#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/net/random_network.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

/// Positions that are nothing but what a network sees of them: planes, globals and legal actions at random.
template <int Planes, int Rows, int Columns, int Actions, int Globals>
struct random_position {
  static constexpr int num_actions = Actions;
  static constexpr batchmate::shape input{Planes, Rows, Columns};
  static constexpr int max_plies = 1;
  static constexpr int num_globals = Globals;
  std::uint64_t seed = 0;

  batchmate::action_set<Actions> legal_actions() const {
    batchmate::random_stream random(batchmate::random_key{seed}.split(1));
    batchmate::action_set<Actions> legal;
    legal.set(static_cast<int>(random.below(Actions)));
    for (int a = 0; a < Actions; ++a)
      if (random.bits() & 1) legal.set(a);
    return legal;
  }
  void play(int action) { seed += static_cast<std::uint64_t>(action) + 1; }
  std::optional<float> result() const { return std::nullopt; }
  void encode(batchmate::plane_bits<input>& planes) const {
    batchmate::random_stream random(batchmate::random_key{seed}.split(2));
    for (int p = 0; p < Planes; ++p)
      for (int r = 0; r < Rows; ++r)
        for (int c = 0; c < Columns; ++c)
          if (random.bits() & 1) planes.set(p, r, c);
  }
  void encode_globals(float* out) const {
    batchmate::random_stream random(batchmate::random_key{seed}.split(3));
    for (int g = 0; g < Globals; ++g) out[g] = random.uniform() - 0.5f;
  }
};

/// Rows of positions, and room for the answers.
template <batchmate::game G>
struct filled_batch {
  explicit filled_batch(std::vector<G> const& of)
      : positions(of), rows(of.size()), values(of.size(), 9.0f), priors(of.size() * G::num_actions, 9.0f) {
    for (std::size_t b = 0; b < of.size(); ++b) {
      rows[b] = {};
      rows[b].encode(of[b]);
      rows[b].legal = of[b].legal_actions();
    }
  }
  batchmate::batch<G> view() {
    return {static_cast<int>(rows.size()), positions.data(), rows.data(), values.data(), priors.data()};
  }

  std::vector<G> positions;
  std::vector<batchmate::row<G>> rows;
  std::vector<float> values, priors;
};

/// So many different positions.
template <class G>
std::vector<G> numbered_positions(int count) {
  std::vector<G> positions;
  for (int i = 0; i < count; ++i) positions.push_back({static_cast<std::uint64_t>(i)});
  return positions;
}

/// The extents of a small network for the rows of G.
template <batchmate::game G>
batchmate::network_extents extents_for(int blocks, int channels) {
  return {.input = G::input,
          .num_globals = batchmate::num_globals<G>,
          .num_actions = G::num_actions,
          .blocks = blocks,
          .channels = channels};
}
