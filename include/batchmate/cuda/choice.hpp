#pragma once

#include <batchmate/cuda/plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

namespace batchmate::cuda {

/// The most workspace that a plan may want: engines that want more add up partial sums in it, in an order that
/// depends on the batch.
inline constexpr std::size_t max_workspace_bytes = 4096;

/// The engine for fp16 and bf16 that fuses convolution, residual, bias and ReLU in a precompiled kernel.
inline constexpr int pinned_engine = 41;
/// The engine for fp32: the same fusion without tensor cores, which would round to TF32.
inline constexpr int pinned_fp32_engine = 11;
/// The fused engine of GPUs before Hopper.
inline constexpr int older_gpu_engine = 10;

/// Knob settings of `pinned_engine` found good for towers of so many channels: each finalises for every number of
/// rows tried. The fastest is for `tune` to find.
inline std::optional<engine_choice> pinned_choice(tower_shape const& t) {
  auto const choice = [](std::int64_t tile, std::int64_t tile_k, std::int64_t group_m, std::int64_t group_n) {
    return engine_choice{pinned_engine,
                         {{CUDNN_KNOB_TYPE_TILE_SIZE, tile},
                          {CUDNN_KNOB_TYPE_TILEK, tile_k},
                          {CUDNN_KNOB_TYPE_IDX_MODE, 0},
                          {CUDNN_KNOB_TYPE_WORKSPACE, 1},
                          {CUDNN_KNOB_TYPE_TILE_CGA_M, group_m},
                          {CUDNN_KNOB_TYPE_TILE_CGA_N, group_n}}};
  };
  if (t.elements == precision::fp32)
    return engine_choice{pinned_fp32_engine, {{CUDNN_KNOB_TYPE_TILE_SIZE, 4}, {CUDNN_KNOB_TYPE_USE_TEX, 0}}};
  switch (t.channels) {
    case 64:
      return choice(4, 0, 8, 1);
    case 128:
      return choice(0, 1, 8, 1);
    case 192:
      return choice(20, 1, 1, 2);
    case 256:
      return choice(0, 1, 1, 2);
    default:
      return std::nullopt;
  }
}

/// How an engine divides a convolution among multiprocessors.
struct tiling {
  int cells = 128;          ///< output cells a tile
  int cluster_cells = 1;    ///< tiles of other cells whose multiprocessors work together
  int cluster_outputs = 1;  ///< tiles of other channels whose multiprocessors do
  int cluster() const { return cluster_cells * cluster_outputs; }  ///< multiprocessors
};

/// The tiling of a choice, as far as its knobs tell. That the pinned engine's tile 4 has 256 cells, and others 128, shows in
/// the numbers of rows from which on cuDNN would split sums if it might; older engines' tiles are taken for 128.
inline tiling tiling_of(engine_choice const& choice) {
  tiling found;
  for (auto const& k : choice.knobs) {
    if (k.type == CUDNN_KNOB_TYPE_TILE_CGA_M) found.cluster_cells = std::max(1, static_cast<int>(k.value));
    if (k.type == CUDNN_KNOB_TYPE_TILE_CGA_N) found.cluster_outputs = std::max(1, static_cast<int>(k.value));
    if (choice.engine == pinned_engine && k.type == CUDNN_KNOB_TYPE_TILE_SIZE && k.value == 4)
      found.cells = 256;
  }
  return found;
}

/// Whether an engine with these knobs sums every output in one fixed order: no split sums.
inline bool sums_in_one_order(engine_choice const& choice) {
  for (auto const& k : choice.knobs) {
    bool const splits = k.type == 0 /* SPLIT_K */ || k.type == CUDNN_KNOB_TYPE_SPLIT_K_BUF ||
                        k.type == 16 /* CTA_SPLIT_K_MODE */ || k.type == CUDNN_KNOB_TYPE_SPLIT_K_SLC ||
                        k.type == 20 /* SPLIT_RS */ || k.type == CUDNN_KNOB_TYPE_STREAM_K;
    if (splits && k.value > (k.type == 0 || k.type == CUDNN_KNOB_TYPE_SPLIT_K_SLC ? 1 : 0)) return false;
    if (k.type == CUDNN_KNOB_TYPE_WORKSPACE && k.value != 1) return false;
  }
  return true;
}

/// Whether a choice computes a layer for every number of rows without more workspace than is allowed.
inline bool works_for_all(plan_target const& target, tower_shape const& t, layer l,
                          engine_choice const& choice, std::span<int const> rows) {
  for (int const n : rows) {
    auto const plan = convolution_plan::make(target, extents_of(t, l, n), choice);
    if (!plan || plan->workspace_bytes() > max_workspace_bytes) return false;
  }
  return true;
}

/// What is worth trying for a layer, best first: the heuristics' proposals for the largest number of rows that sum
/// in one order and need neither NVRTC nor, for fp32, tensor cores. Those of the pinned engine come first, then
/// those of the older one, then the rest.
inline std::vector<engine_choice> candidates(plan_target const& target, tower_shape const& t, layer l,
                                             std::span<int const> rows) {
  bool const exact = t.elements == precision::fp32;
  auto const proposed = propose_engines(target, extents_of(t, l, rows.back()));
  std::vector<engine_choice> ordered;
  auto const take = [&](auto&& wanted) {
    for (auto const& c : proposed) {
      bool const usable = sums_in_one_order(c.choice) && !c.compiled_at_run_time &&
                          !(exact && c.tensor_cores) &&
                          c.workspace_bytes <= static_cast<std::int64_t>(max_workspace_bytes);
      if (usable && wanted(c.choice.engine)) ordered.push_back(c.choice);
    }
  };
  int const first = exact ? pinned_fp32_engine : pinned_engine;
  take([&](int engine) { return engine == first; });
  take([&](int engine) { return engine == older_gpu_engine; });
  take([&](int engine) { return engine != first && engine != older_gpu_engine; });
  return ordered;
}

/// The engines for a tower on a device, without timing anything, so that the choice is the same in every run: the
/// pinned engine with its pinned knobs where this cuDNN has them for that device, else with the first of the
/// heuristics' knobs that serve every number of rows, else the first other engine that does. `origin` says which.
/// Throws `evaluation_error` if there is none at all.
inline tower_plan choose_plan(plan_target const& target, tower_shape const& t, std::span<int const> rows) {
  tower_plan plan{cudnn_version(), "pinned", {}};
  auto const pinned = pinned_choice(t);
  int const wanted = t.elements == precision::fp32 ? pinned_fp32_engine : pinned_engine;
  for (layer const l : all_layers) {
    if (pinned && works_for_all(target, t, l, *pinned, rows)) {
      plan.of(l) = *pinned;
      continue;
    }
    bool found = false;
    for (auto const& each : candidates(target, t, l, rows)) {
      if (!works_for_all(target, t, l, each, rows)) continue;
      plan.of(l) = each;
      if (each.engine != wanted)
        plan.origin = "fallback";
      else if (plan.origin == "pinned")
        plan.origin = "heuristics";
      found = true;
      break;
    }
    if (!found)
      throw evaluation_error(concat("cudnn ", cudnn_version(), ": no precompiled engine computes the ",
                                    name_of(l), " convolution of a ", t.channels, "-channel ",
                                    name_of(t.elements), " tower on ", t.height, " x ", t.width,
                                    " for all of ", rows.front(), " to ", rows.back(), " rows"));
  }
  return plan;
}

/// Those of the batch sizes, ascending, whose convolutions want workspace where the largest's do, and none where these want
/// none: with few tiles the pinned engine wants none, so it may do something else than with many.
inline std::vector<int> sizes_alike(plan_target const& target, tower_shape const& t, tower_plan const& plan,
                                    std::span<int const> rows) {
  auto const wanted = [&](int n) {
    std::array<bool, all_layers.size()> by_layer{};
    for (layer const l : all_layers) {
      auto const made = convolution_plan::make(target, extents_of(t, l, n), plan.of(l));
      by_layer[static_cast<std::size_t>(l)] = made && made->workspace_bytes() > 0;
    }
    return by_layer;
  };
  std::vector<int> alike;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(alike),
               [&, of_largest = wanted(rows.back())](int n) { return wanted(n) == of_largest; });
  return alike;
}

}  // namespace batchmate::cuda
