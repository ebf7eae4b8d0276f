#pragma once

#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/eval/symmetric.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchmate::cuda {

/// The symmetries of a game's board as tables, for an evaluator that shows the network every position under one of
/// them. Empty: positions are shown as they are.
struct board_symmetries {
  /// None.
  board_symmetries() = default;
  /// Those of a game. With a seed, each row is shown under the one that `symmetric` with this seed would show it under;
  /// without, under the one that the row names.
  explicit board_symmetries(row_symmetries const& all, std::optional<std::uint64_t> by_seed = {})
      : count(all.count),
        seed(by_seed),
        cells(all.cells.size()),
        actions(all.actions.begin(), all.actions.end()),
        unactions(all.unactions.begin(), all.unactions.end()) {
    std::size_t const size = static_cast<std::size_t>(all.layout.input.cells());
    for (std::size_t i = 0; i < all.cells.size(); ++i)
      cells[i / size * size + all.cells[i]] = static_cast<std::int32_t>(i % size);
  }

  int count = 0;                        ///< S; 0: none
  std::optional<std::uint64_t> seed;    ///< to draw a row's symmetry by; none: the row names it
  std::vector<std::int32_t> cells;      ///< (S, H * W): the cell of the position that goes there
  std::vector<std::int32_t> actions;    ///< (S, A): where the position's action goes
  std::vector<std::int32_t> unactions;  ///< (S, A): the position's action that goes there

  /// Whether the tables are as large as rows of this layout need them.
  bool fit(row_layout const& rows) const {
    auto const boards = static_cast<std::size_t>(count * rows.input.cells());
    auto const names = static_cast<std::size_t>(count * rows.num_actions);
    return cells.size() == boards && actions.size() == names && unactions.size() == names;
  }
  /// How a row's symmetry is found.
  symmetry_choice choice() const { return {count, seed.has_value(), seed.value_or(0)}; }
};

}  // namespace batchmate::cuda
