#pragma once

#include <batchmate/core/random.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstdint>
#include <optional>

/// A random tree: what is legal and how it ends are hashes of the moves so far. A node has 1 to A moves; from
/// the second ply on a fifth of the nodes are terminal, with results -1, -0.5, 0, 0.5 or 1.
template <int A, int Depth>
struct hash_game {
  static constexpr int num_actions = A;
  static constexpr batchmate::shape input{1, 8, 8};
  static constexpr int max_plies = Depth;
  std::uint64_t state = 1;
  int ply = 0;

  std::uint64_t hash(std::uint64_t salt) const {
    return batchmate::mix_bits(state + salt * 0x9e3779b97f4a7c15);
  }

  batchmate::action_set<A> legal_actions() const {
    batchmate::action_set<A> legal;
    for (int a = 0; a < A; ++a)
      if (hash(static_cast<std::uint64_t>(a) + 10) % 8 < 3) legal.set(a);
    legal.set(static_cast<int>(hash(5) % A));
    return legal;
  }
  void play(int action) {
    state = hash(static_cast<std::uint64_t>(action) + 1000);
    ++ply;
  }
  std::optional<float> result() const {
    if (ply < Depth && (ply < 2 || hash(6) % 5 != 0)) return std::nullopt;
    return static_cast<float>(static_cast<int>(hash(7) % 5) - 2) / 2;
  }
  void encode(batchmate::plane_bits<input>& planes) const { planes.words[0] = state; }
};
