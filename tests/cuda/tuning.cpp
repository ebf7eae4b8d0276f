#include <batchmate/cuda/tuning.hpp>

#include "described_device.hpp"
#include "device.hpp"
#include "towers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE("there are several candidates for the reference job's tower, all of which serve every batch size" *
          doctest::skip(emulated)) {  // that is to ask the real cuDNN
  auto const device = described_device("h200");
  auto const tower = known_towers()[2];
  auto const shape = tower.shape(precision::fp16);
  auto const rows = tower.buckets(1024);
  auto found = choices_for(device, shape, layer::second, rows);
  std::erase_if(found,
                [&](auto const& each) { return !works_for_all(device, shape, layer::second, each, rows); });
  CHECK(found.size() >= 10);
  CHECK(found[0] == *pinned_choice(shape));
  engine_choice alone = found[0];
  for (auto& k : alone.knobs)
    if (k.type == CUDNN_KNOB_TYPE_TILE_CGA_M) k.value = 1;
  CHECK(std::find(found.begin(), found.end(), alone) != found.end());  // no clusters: no multiprocessor idle
  std::set<std::string> different;
  for (auto const& each : found) {
    different.insert(text_of(each));
    CHECK(sums_in_one_order(each));
  }
  CHECK(different.size() == found.size());
}

TEST_CASE("where there is no device, tuning says so" * doctest::skip(!no_device())) {
  CHECK_THROWS_WITH_AS(tune(known_towers()[0].shape(precision::fp16)),
                       doctest::Contains("no device 0 to tune for"), bm::contract_error);
}

TEST_CASE("tuning times every candidate and takes the fastest for each layer" * doctest::skip(no_device())) {
  tower_shape const shape{8, emulated ? 8 : 64, emulated ? 8 : 16, 9, 9, precision::fp16};
  std::vector<timed_choice> seen;
  tuning_options options;
  options.rows = 200;
  options.buckets = [](engine_choice const& inner) {
    return inner.knobs.size() % 2 == 0 ? std::vector{1, 32, 200, 400} : std::vector{1, 48, 240};
  };
  options.repeats = 3;
  options.progress = [&](timed_choice const& now) { seen.push_back(now); };
  auto const plan = tune(shape, options);
  CHECK(plan.origin == "tuned");
  CHECK(parse_plan(text_of(plan), "text") == plan);
  int const rows = options.buckets(plan.of(layer::second)).size() == 4 ? 200 : 240;
  for (layer const l : all_layers) {
    double best = 1e30, taken = 0;
    for (auto const& each : seen)
      if (each.of == l && each.microseconds >= 0) {
        best = std::min(best, each.a_row());
        if (each.choice == plan.of(l)) taken = each.a_row();
        if (l != layer::second) CHECK(each.rows == rows);
      }
    CHECK(taken == best);
    CHECK(best > 0);
  }
}
