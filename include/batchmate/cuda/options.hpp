#pragma once

#include <batchmate/cuda/plan.hpp>
#include <batchmate/cuda/symmetry.hpp>

#include <optional>
#include <vector>

namespace batchmate {

/// How `cudnn` computes.
struct cudnn_options {
  /// Of weights and activations; the heads are fp32 always.
  cuda::precision precision = cuda::precision::fp16;
  std::vector<int> devices{};  ///< CUDA's numbers, all of one model; empty: the first of the machine
  int lanes = 2;               ///< batches in work at once on each device, 1 to 8; memory grows with it
  int max_chunk = 4096;        ///< rows that go through the network together, 1 to 8192; memory grows with it
  int tile_cells =
      0;  ///< output cells of a tile of the convolutions, which decides the sizes of batches; 0: as the plan has it
  int fixed_rows = 0;  ///< if positive, every batch runs as repeats of this many rows
  bool graphs = true;  ///< launch CUDA graphs; false: kernel by kernel, the same numbers but slower
  std::optional<cuda::tower_plan> plan{};  ///< as `cuda::tune` found it; else chosen without timing anything
  cuda::board_symmetries symmetries{};     ///< the board's, under which rows are shown; empty: rows name none
};

}  // namespace batchmate
