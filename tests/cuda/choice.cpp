// That every convolution of the towers maps onto one pinned engine, asked of the cuDNN that is installed, for devices
// that need not be there. None of this has run on a GPU.
#include <batchmate/cuda/choice.hpp>

#include "described_device.hpp"
#include "towers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE(
    "on an H200 every convolution of every tower finalises on the pinned engine with the pinned knobs, at "
    "every "
    "batch size, with less than 4 KB of workspace") {
  auto const device = described_device("h200");
  for (auto const& tower : known_towers())
    for (auto const p : {precision::fp16, precision::fp32}) {
      auto const shape = tower.shape(p);
      auto const choice = pinned_choice(shape);
      REQUIRE(choice);
      CHECK(choice->engine == (p == precision::fp32 ? 11 : 41));
      int plans = 0;
      std::set<int> sizes;  // whichever multiprocessors the clusters leave idle
      for (int const multiprocessors : {120, 128, 132})
        for (int const rows : tower.buckets(8192, multiprocessors)) sizes.insert(rows);
      for (layer const l : all_layers)
        for (int const rows : sizes) {
          CAPTURE(tower.channels);
          CAPTURE(name_of(l));
          CAPTURE(rows);
          auto const plan = convolution_plan::make(device, extents_of(shape, l, rows), *choice);
          REQUIRE(plan);
          CHECK(plan->workspace_bytes() < 4096);
          ++plans;
        }
      CHECK(plans >= 4 * 40);
      CHECK(choose_plan(device, shape, tower.buckets()).origin == "pinned");
    }
}

TEST_CASE("batches of few tiles, which the pinned engine computes without workspace, are left out") {
  auto const device = described_device("h200");
  for (auto const& tower : known_towers()) {
    CAPTURE(tower.channels);
    auto const shape = tower.shape(precision::fp16);
    auto const all = tower.buckets();
    auto const plan = choose_plan(device, shape, all);
    auto const alike = sizes_alike(device, shape, plan, all);
    CHECK(alike.back() == all.back());
    CHECK(alike.front() > 1);
    CHECK(alike.front() * tower.board * tower.board <=
          2 * 128 * 132);  // a wave or two are nothing to a device
    for (int const rows : all) {
      bool const like_largest =
          convolution_plan::make(device, extents_of(shape, layer::second, rows), plan.of(layer::second))
              ->workspace_bytes() > 0;
      CHECK(like_largest == (std::find(alike.begin(), alike.end(), rows) != alike.end()));
    }
    CHECK(sizes_alike(device, shape, plan, std::vector{1, 2, 3}) == std::vector{1, 2, 3});
  }
}

TEST_CASE("in bf16 every tower has a plan of the pinned engine on an H200") {
  auto const device = described_device("h200");
  for (auto const& tower : known_towers()) {
    CAPTURE(tower.channels);
    auto const plan = choose_plan(device, tower.shape(precision::bf16), tower.buckets());
    CHECK(plan.origin != "fallback");
    for (layer const l : all_layers) CHECK(plan.of(l).engine == pinned_engine);
  }
}

TEST_CASE("towers of other sizes get knobs of the pinned engine from the heuristics, the same every time") {
  auto const device = described_device("h200");
  for (int const channels : {8, 32, 96}) {
    CAPTURE(channels);
    tower_shape const shape{8, channels, 16, 7, 7, precision::fp16};
    std::vector<int> const rows = batch_buckets({132, 128, 49}, 1000);
    auto const plan = choose_plan(device, shape, rows);
    CHECK(plan.origin == "heuristics");
    CHECK(plan == choose_plan(device, shape, rows));
    for (layer const l : all_layers) {
      CHECK(plan.of(l).engine == pinned_engine);
      CHECK(works_for_all(device, shape, l, plan.of(l), rows));
      CHECK(sums_in_one_order(plan.of(l)));
    }
  }
}

TEST_CASE("on an A100, which has no such engine, another precompiled one serves, and the plan says so") {
  auto const device = described_device("a100");
  for (auto const& tower : known_towers()) {
    CAPTURE(tower.channels);
    std::vector<int> const rows = batch_buckets({108, 128, tower.board * tower.board}, 4096);
    auto const plan = choose_plan(device, tower.shape(precision::fp16), rows);
    CHECK(plan.origin == "fallback");
    for (layer const l : all_layers) CHECK(plan.of(l).engine == older_gpu_engine);
    CHECK(choose_plan(device, tower.shape(precision::fp32), rows).origin == "pinned");
  }
}

TEST_CASE("tiles and clusters are read off the knobs") {
  auto const of = [](int channels) {
    tiling const t = tiling_of(*pinned_choice({8, channels, 16, 9, 9, precision::fp16}));
    return std::vector<int>{t.cells, t.cluster_cells, t.cluster_outputs};
  };
  CHECK(of(64) == std::vector<int>{256, 8, 1});
  CHECK(of(128) == std::vector<int>{128, 8, 1});
  CHECK(of(256) == std::vector<int>{128, 1, 2});
  tiling const plain = tiling_of(*pinned_choice({8, 64, 16, 9, 9, precision::fp32}));
  CHECK(plain.cells == 128);
  CHECK(plain.cluster() == 1);
}

TEST_CASE("engines that split a sum over blocks are never taken") {
  CHECK(sums_in_one_order({41, {{CUDNN_KNOB_TYPE_WORKSPACE, 1}, {CUDNN_KNOB_TYPE_TILEK, 3}}}));
  CHECK_FALSE(sums_in_one_order({41, {{CUDNN_KNOB_TYPE_WORKSPACE, 0}}}));
  CHECK_FALSE(sums_in_one_order({41, {{CUDNN_KNOB_TYPE_STREAM_K, 1}}}));
  CHECK_FALSE(sums_in_one_order({10, {{CUDNN_KNOB_TYPE_SPLIT_K_SLC, 2}}}));
  CHECK(sums_in_one_order({10, {{CUDNN_KNOB_TYPE_SPLIT_K_SLC, 1}}}));
}

TEST_CASE("where nothing precompiled computes a convolution, that is said in one sentence") {
  std::string json = device_json("h200");
  json.replace(json.find("\"deviceVer\":900"), 15, "\"deviceVer\":750");
  std::vector<int> const rows{1, 64};
  CHECK_THROWS_WITH_AS(
      choose_plan(plan_target(json), known_towers()[0].shape(precision::bf16), rows),
      doctest::Contains("no precompiled engine computes the stem convolution of a 64-channel bf16 tower "
                        "on 9 x 9 for all of 1 to 64 rows"),
      bm::evaluation_error);
}
