#pragma once

#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/eval/symmetric.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchmate::cuda {

/// The symmetries of a game's board as tables, for an evaluator that shows the network every position under one of
/// them: always the same for the same position. Empty: positions are shown as they are.
struct board_symmetries {
  /// None.
  board_symmetries() = default;
  /// Those of a game, of which each row is shown under the one that `symmetric` with this seed would show it under.
  explicit board_symmetries(row_symmetries const& all, std::uint64_t by_seed = 0)
      : count(all.count),
        seed(by_seed),
        cells(all.cells.size()),
        actions(all.actions.begin(), all.actions.end()) {
    std::size_t const size = static_cast<std::size_t>(all.layout.input.cells());
    for (std::size_t i = 0; i < all.cells.size(); ++i)
      cells[i / size * size + all.cells[i]] = static_cast<std::int32_t>(i % size);
  }

  int count = 0;                      ///< S; 0: none
  std::uint64_t seed = 0;             ///< another one shows positions under other symmetries
  std::vector<std::int32_t> cells;    ///< (S, H * W): the cell of the position that goes there
  std::vector<std::int32_t> actions;  ///< (S, A): where the position's action goes

  /// The tables where they lie.
  symmetry_view view() const { return {count, cells.data(), actions.data()}; }
};

}  // namespace batchmate::cuda
