#include <batchmate/cuda/choice.hpp>
#include <batchmate/cuda/convolution.hpp>

#include "described_device.hpp"
#include "towers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

convolution_extents const inner{1024, 128, 128, 13, 13, 3, true, precision::fp16};

}  // namespace

TEST_CASE("the fused convolution with residual, bias and ReLU finalises on the pinned engine without a GPU") {
  auto const device = described_device("h200");
  engine_choice const choice = *pinned_choice(known_towers()[2].shape(precision::fp16));
  CHECK(choice.engine == 41);
  auto const plan = convolution_plan::make(device, inner, choice);
  REQUIRE(plan);
  CHECK(plan->workspace_bytes() < 4096);
}

TEST_CASE("an engine or a knob that there is not is no plan") {
  auto const device = described_device("h200");
  CHECK_FALSE(convolution_plan::make(device, inner, {9999, {}}));
  engine_choice choice = *pinned_choice(known_towers()[2].shape(precision::fp16));
  choice.knobs[0].value = 77;
  CHECK_FALSE(convolution_plan::make(device, inner, choice));
}

TEST_CASE("the same engine without the workspace flag wants a workspace: that is why the flag is pinned") {
  auto const device = described_device("h200");
  engine_choice choice = *pinned_choice(known_towers()[2].shape(precision::fp16));
  for (auto& k : choice.knobs)
    if (k.type == CUDNN_KNOB_TYPE_WORKSPACE) k.value = 0;
  auto const plan = convolution_plan::make(device, inner, choice);
  REQUIRE(plan);
  CHECK(plan->workspace_bytes() > max_workspace_bytes);
}

TEST_CASE("the heuristics propose the pinned engine for fp16 and bf16, precompiled") {
  auto const device = described_device("h200");
  for (auto const p : {precision::fp16, precision::bf16}) {
    convolution_extents e = inner;
    e.elements = p;
    auto const found = propose_engines(device, e);
    auto const pinned = [](engine_candidate const& c) { return c.choice.engine == pinned_engine; };
    CHECK(std::count_if(found.begin(), found.end(), pinned) >= 20);
    for (auto const& c : found) CHECK((!pinned(c) || !c.compiled_at_run_time));
  }
}

TEST_CASE("fp32 proposals tell which of them use tensor cores") {
  convolution_extents e = inner;
  e.elements = precision::fp32;
  auto const found = propose_engines(described_device("h200"), e);
  auto const exact = [](engine_candidate const& c) { return !c.tensor_cores; };
  CHECK(std::count_if(found.begin(), found.end(), exact) > 0);
  CHECK_FALSE(std::all_of(found.begin(), found.end(), exact));
}

TEST_CASE("cuDNN takes the places of a run's tensors, with and without a residual") {
  alignas(16) std::byte memory[6][16];  // which nothing touches
  for (void* z : {static_cast<void*>(nullptr), static_cast<void*>(memory[5])})
    CHECK_NOTHROW(convolution_graph::bind(memory[0], memory[1], z, memory[2], memory[3],
                                          static_cast<void*>(memory[4])));
}
