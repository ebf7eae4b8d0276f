#pragma once

#include <batchmate/core/bits.hpp>

#include <cstdint>

namespace batchmate {

/// The extent of a network's input: binary planes over a board.
struct shape {
  int planes;   ///< C, feature planes
  int rows;     ///< H
  int columns;  ///< W

  BATCHMATE_HD constexpr int cells() const { return rows * columns; }  ///< H * W
  /// 64-bit words that hold one packed plane.
  BATCHMATE_HD constexpr int words_per_plane() const { return (cells() + 63) / 64; }
  friend constexpr bool operator==(shape const&, shape const&) = default;
};

/// The packed input planes of one position: one bit a cell; cell (r, c) is bit r * W + c of its plane, and each
/// plane starts at a new word.
template <shape S>
struct plane_bits {
  static constexpr int words_per_plane = S.words_per_plane();  ///< 64-bit words a plane
  std::uint64_t words[S.planes * words_per_plane] = {};        ///< (C, words_per_plane)

  /// Sets the bit of one cell.
  BATCHMATE_HD constexpr void set(int plane, int row, int column) {
    int const cell = row * S.columns + column;
    words[plane * words_per_plane + (cell >> 6)] |= std::uint64_t{1} << (cell & 63);
  }
  BATCHMATE_HD constexpr bool test(int plane, int row, int column) const {
    int const cell = row * S.columns + column;
    return words[plane * words_per_plane + (cell >> 6)] >> (cell & 63) & 1;
  }
  /// Replaces a whole plane.
  BATCHMATE_HD constexpr void assign(int plane, bit_set<S.cells()> const& cells) {
    for (int w = 0; w < words_per_plane; ++w) words[plane * words_per_plane + w] = cells.words[w];
  }
  /// Sets every cell of a plane.
  BATCHMATE_HD constexpr void fill(int plane) { assign(plane, bit_set<S.cells()>::all()); }

  friend constexpr bool operator==(plane_bits const&, plane_bits const&) = default;
};

}  // namespace batchmate
