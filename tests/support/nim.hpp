#pragma once

#include <batchmate/game/concepts.hpp>

#include <optional>

/// Take 1, 2 or 3 stones; who takes the last one wins. The smallest game there is: no key, no text, no symmetries.
struct nim {
  static constexpr int num_actions = 3;
  static constexpr batchmate::shape input{1, 1, 10};  // planes, rows, columns
  static constexpr int max_plies = 10;
  int stones = 10;

  batchmate::action_set<num_actions> legal_actions() const {
    batchmate::action_set<num_actions> legal;
    for (int take = 1; take <= 3 && take <= stones; ++take) legal.set(take - 1);
    return legal;
  }
  void play(int action) { stones -= action + 1; }
  std::optional<float> result() const {
    if (stones == 0) return batchmate::loss;  // the opponent took the last one
    return std::nullopt;
  }
  void encode(batchmate::plane_bits<input>& planes) const {
    for (int i = 0; i < stones; ++i) planes.set(0, 0, i);
  }
};
