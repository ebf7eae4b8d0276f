#include <batchmate/cuda/waves.hpp>

#include "device.hpp"
#include "towers.hpp"

#include <doctest/doctest.h>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE("clusters leave few multiprocessors idle" * doctest::skip(no_device())) {
  device_info const on = devices().at(0);
  CHECK(multiprocessors_in_clusters(on, 1) == on.multiprocessors);
  for (int const cluster : {2, 4, 8}) {
    CAPTURE(cluster);
    int const working = multiprocessors_in_clusters(on, cluster);
    CHECK(working <= on.multiprocessors);
    CHECK(4 * working >= 3 * on.multiprocessors);
    if (on.capability >= 90) CHECK(working % cluster == 0);
  }
}

TEST_CASE("waves follow the plan, unless the tile is given" * doctest::skip(no_device())) {
  device_info const on = devices().at(0);
  for (auto const& tower : known_towers()) {
    auto const shape = tower.shape(precision::fp16);
    auto const choice = pinned_choice(shape);
    auto const waves = waves_of(on, shape, choice);
    CHECK(waves.tile_cells == tiling_of(*choice).cells);
    CHECK(waves.cells == tower.board * tower.board);
    CHECK(waves.tiles ==
          multiprocessors_in_clusters(on, tiling_of(*choice).cluster()) / tiling_of(*choice).cluster_outputs);
    CHECK(waves_of(on, shape, choice, 64).tile_cells == 64);
    CHECK(waves_of(on, shape, {}).tiles == on.multiprocessors);
  }
}
