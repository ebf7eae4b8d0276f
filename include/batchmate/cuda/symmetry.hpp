#pragma once

#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/game/concepts.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchmate::cuda {

/// The symmetries of a game's board as tables, for an evaluator that shows the network every position under one of
/// them: always the same for the same position. Empty: positions are shown as they are.
struct board_symmetries {
  int count = 0;                      ///< S; 0: none
  std::vector<std::int32_t> cells;    ///< (S, H * W): the cell of the position that goes there
  std::vector<std::int32_t> actions;  ///< (S, A): where the position's action goes

  /// The tables where they lie.
  symmetry_view view() const { return {count, cells.data(), actions.data()}; }
};

/// The symmetries of a game.
template <game_with_symmetries G>
board_symmetries symmetries_of() {
  board_symmetries all;
  all.count = G::num_symmetries;
  all.cells.resize(static_cast<std::size_t>(all.count * G::input.cells()));
  for (int s = 0; s < all.count; ++s) {
    for (int cell = 0; cell < G::input.cells(); ++cell)
      all.cells[static_cast<std::size_t>(s * G::input.cells() + G::symmetric_cell(s, cell))] = cell;
    for (int a = 0; a < G::num_actions; ++a) all.actions.push_back(G::symmetric_action(s, a));
  }
  return all;
}

}  // namespace batchmate::cuda
