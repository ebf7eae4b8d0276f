#pragma once

#include <batchmate/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace batchmate::cuda {

/// How a device divides a convolution: into tiles of output cells, so many of them at a time.
struct wave_geometry {
  int tiles;       ///< that are computed at the same time
  int tile_cells;  ///< output cells a tile: the M of the matrix product's tile
  int cells;       ///< H * W of the board

  /// The most rows whose tiles fit in w waves.
  int rows(int waves) const { return static_cast<int>(std::int64_t{waves} * tiles * tile_cells / cells); }
};

/// The batch sizes that plans and graphs are made for, ascending, the last being `most`. A batch runs in the
/// least that holds it. One wave costs the same however full it is, so sizes beyond one wave are whole waves:
/// every one up to 16, then every second up to 32, every fourth up to 64 and so on. Below are powers of four.
inline std::vector<int> batch_buckets(wave_geometry const& wave, int most) {
  expects(wave.tiles > 0 && wave.tile_cells > 0 && wave.cells > 0 && most > 0,
          "cudnn: buckets need positive extents");
  std::vector<int> sizes;
  for (int small = 1; small < std::min(wave.rows(1), most); small *= 4) sizes.push_back(small);
  for (int waves = 1, step = 1; wave.rows(waves) < most; waves += step) {
    if (waves >= 16 * step) step *= 2;
    if (wave.rows(waves) > 0 && (sizes.empty() || wave.rows(waves) > sizes.back()))
      sizes.push_back(wave.rows(waves));
  }
  sizes.push_back(most);
  return sizes;
}

/// The index of the least bucket that holds `rows`, or the last one if none does.
inline std::size_t bucket_for(std::vector<int> const& buckets, int rows) {
  auto const found = std::lower_bound(buckets.begin(), buckets.end(), rows);
  return static_cast<std::size_t>(std::min(found, buckets.end() - 1) - buckets.begin());
}

}  // namespace batchmate::cuda
