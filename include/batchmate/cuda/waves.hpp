#pragma once

#include <batchmate/cuda/buckets.hpp>
#include <batchmate/cuda/choice.hpp>
#include <batchmate/cuda/kernels.hpp>
#include <batchmate/cuda/resources.hpp>

#include <cuda_runtime.h>

#include <optional>

namespace batchmate::cuda {

/// Multiprocessors that work at the same time on kernels of one block each whose clusters are so large. A cluster lies within
/// one part of the chip, and the parts are no multiples of eight, so that on an H100 with 132 multiprocessors clusters of eight
/// leave 4 to 12 of them idle; the driver knows how many.
inline int multiprocessors_in_clusters(device_info const& on, int cluster) {
  if (cluster == 1 || on.capability < 90) return on.multiprocessors;
  return on_device(on.number, [&] {
    constexpr int threads = 384,
                  shared_bytes = 200 << 10;  // as cuDNN's kernels have them: one block a multiprocessor
    auto const kernel = reinterpret_cast<void const*>(kernels::nothing<>);
    cudaLaunchAttribute size{};
    size.id = cudaLaunchAttributeClusterDimension;
    size.val.clusterDim.x = static_cast<unsigned>(cluster);
    size.val.clusterDim.y = size.val.clusterDim.z = 1;
    dim3 const grid(static_cast<unsigned>(cluster) * 256);
    cudaLaunchConfig_t const wanted{grid, dim3(threads), shared_bytes, nullptr, &size, 1};
    int clusters = 0;
    bool const known = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            shared_bytes) == cudaSuccess &&
                       cudaOccupancyMaxActiveClusters(&clusters, kernel, &wanted) == cudaSuccess;
    if (!known) cudaGetLastError();  // a device with less memory or no such clusters: sizes are a hint only
    return known && clusters > 0 ? clusters * cluster : on.multiprocessors;
  });
}

/// How a device divides the convolutions within the blocks of a tower, which are computed by `choice`, or by an engine not
/// known yet; `tile_cells`, if positive, is believed instead of the choice.
inline wave_geometry waves_of(device_info const& on, tower_shape const& t,
                              std::optional<engine_choice> const& choice, int tile_cells = 0) {
  tiling const tiles = choice ? tiling_of(*choice) : tiling{};
  return {multiprocessors_in_clusters(on, tiles.cluster()) / tiles.cluster_outputs,
          tile_cells > 0 ? tile_cells : tiles.cells, t.cells()};
}

}  // namespace batchmate::cuda
