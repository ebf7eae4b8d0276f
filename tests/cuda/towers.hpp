#pragma once

#include <batchmate/cuda/buckets.hpp>
#include <batchmate/cuda/choice.hpp>
#include <batchmate/cuda/plan.hpp>

#include <vector>

/// A tower that the evaluator must serve on an H200, and the batch sizes it has there.
struct known_tower {
  int blocks, channels, board, planes;

  batchmate::cuda::tower_shape shape(batchmate::cuda::precision elements) const {
    return {batchmate::cuda::padded_channels(planes), channels, 16, board, board, elements};
  }
  /// With so many of its 132 multiprocessors at work: clusters of eight leave some idle.
  std::vector<int> buckets(int most = 4096, int multiprocessors = 132) const {
    auto const tiles =
        batchmate::cuda::tiling_of(*batchmate::cuda::pinned_choice(shape(batchmate::cuda::precision::fp16)));
    return batchmate::cuda::batch_buckets(
        {multiprocessors / tiles.cluster_outputs, tiles.cells, board * board}, most);
  }
};

/// 6x64 at 9x9, 10x128 at 11x11 and 13x13, 15x192 at 13x13, 20x256 at 19x19.
inline std::vector<known_tower> known_towers() {
  return {{6, 64, 9, 3}, {10, 128, 11, 3}, {10, 128, 13, 3}, {15, 192, 13, 18}, {20, 256, 19, 18}};
}
