#pragma once

#include <batchmate/cuda/backend.hpp>
#include <batchmate/cuda/precision.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchmate::cuda {

/// relu(convolution(x) + z + bias), stride 1, zero padding that keeps the board's size; z only where asked for.
///
///     x       (N, H, W, C)      weights (K, R, S, C)      bias (K)      z, y (N, H, W, K)
struct convolution_extents {
  int rows;            ///< N
  int inputs;          ///< C, a multiple of 8
  int outputs;         ///< K, a multiple of 8
  int height, width;   ///< H, W
  int kernel;          ///< R = S: 1 or 3
  bool residual;       ///< whether z is added
  precision elements;  ///< of all tensors; sums are fp32
};

/// One setting of an engine of cuDNN.
struct knob {
  int type;            ///< a `cudnnBackendKnobType_t`
  std::int64_t value;  ///< within the range that the engine states

  friend bool operator==(knob const&, knob const&) = default;
};

/// An engine of cuDNN with all of its settings: what computes a convolution, to the last bit.
struct engine_choice {
  int engine = 0;           ///< cuDNN's global index
  std::vector<knob> knobs;  ///< in ascending order of type

  friend bool operator==(engine_choice const&, engine_choice const&) = default;
};

/// What cuDNN says of a candidate.
struct engine_candidate {
  engine_choice choice;               ///< engine and knobs
  std::int64_t workspace_bytes = 0;   ///< as the heuristics give it
  bool tensor_cores = false;          ///< fp32 is rounded to TF32 there
  bool compiled_at_run_time = false;  ///< needs NVRTC, and seconds a plan
};

/// The operations as cuDNN wants to see them. z comes before the bias, since that order, and no other, is one
/// of the precompiled fused kernels.
namespace convolution_graph {

/// The names of the tensors that a plan is given when it runs.
enum uid : std::int64_t { x = 1, weights = 2, z = 3, bias = 4, y = 5, virtual_from = 10 };

/// An NHWC tensor of extents N, C, H, W.
inline descriptor tensor(std::int64_t id, cudnnDataType_t type, std::array<std::int64_t, 4> nchw,
                         bool is_virtual = false) {
  std::array<std::int64_t, 4> const strides{nchw[1] * nchw[2] * nchw[3], 1, nchw[3] * nchw[1], nchw[1]};
  descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
      .set_all(CUDNN_ATTR_TENSOR_DIMENSIONS, nchw.data(), nchw.size())
      .set_all(CUDNN_ATTR_TENSOR_STRIDES, strides.data(), strides.size())
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  return made.finalize();
}

/// The convolution of one tensor with another.
inline descriptor convolve(convolution_extents const& e, descriptor const& from, descriptor const& with,
                           descriptor const& to) {
  std::array<std::int64_t, 2> const pads{e.kernel / 2, e.kernel / 2}, ones{1, 1};
  descriptor how(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  how.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set_all(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, pads.data(), 2)
      .set_all(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, pads.data(), 2)
      .set_all(CUDNN_ATTR_CONVOLUTION_DILATIONS, ones.data(), 2)
      .set_all(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, ones.data(), 2)
      .finalize();
  descriptor made(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  made.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, how)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, from)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, with)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, to)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f);
  return made.finalize();
}

/// An operation on one tensor, or on two.
inline descriptor pointwise(cudnnPointwiseMode_t mode, descriptor const& from, descriptor const* with,
                            descriptor const& to) {
  descriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  how.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT).finalize();
  descriptor made(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  made.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how).set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
  if (with) made.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *with);
  made.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
  return made.finalize();
}

/// The whole of it.
inline descriptor make(plan_target const& target, convolution_extents const& e) {
  auto const type = data_type(e.elements);
  std::array<std::int64_t, 4> const out{e.rows, e.outputs, e.height, e.width};
  std::int64_t next = virtual_from;
  auto const between = [&] { return tensor(next++, CUDNN_DATA_FLOAT, out, true); };
  std::vector<descriptor> steps;
  descriptor sum = between();
  steps.push_back(convolve(e, tensor(x, type, {e.rows, e.inputs, e.height, e.width}),
                           tensor(weights, type, {e.outputs, e.inputs, e.kernel, e.kernel}), sum));
  auto const add = [&](descriptor const& what) {
    descriptor const with = between();
    steps.push_back(pointwise(CUDNN_POINTWISE_ADD, sum, &what, with));
    sum = with;
  };
  if (e.residual) add(tensor(z, type, out));
  add(tensor(bias, type, {1, e.outputs, 1, 1}));
  steps.push_back(pointwise(CUDNN_POINTWISE_RELU_FWD, sum, nullptr, tensor(y, type, out)));
  descriptor made(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  made.set_all(CUDNN_ATTR_OPERATIONGRAPH_OPS, steps);
  if (!target.described()) made.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle());
  return made.finalize();
}

/// Where the tensors of one run are, and the workspace; z may be null.
inline descriptor bind(void const* x_at, void const* weights_at, void const* z_at, void const* bias_at,
                       void* y_at, void* workspace) {
  std::vector<std::int64_t> ids{uid::x, uid::weights, uid::bias, uid::y};
  std::vector<void*> pointers{const_cast<void*>(x_at), const_cast<void*>(weights_at),
                              const_cast<void*>(bias_at), y_at};
  if (z_at) {
    ids.push_back(uid::z);
    pointers.push_back(const_cast<void*>(z_at));
  }
  descriptor tensors(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  tensors.set_all(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids.data(), ids.size())
      .set_all(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers.data(), pointers.size())
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  return tensors.finalize();
}

}  // namespace convolution_graph

/// What cuDNN's heuristics propose for a convolution, best first, at most `most`.
inline std::vector<engine_candidate> propose_engines(plan_target const& target, convolution_extents const& e,
                                                     std::size_t most = 100) {
  descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, convolution_graph::make(target, e))
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_A);
  if (target.described()) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.device());
  if (!heuristics.try_finalize()) return {};
  std::vector<engine_candidate> found;
  for (auto const& config :
       heuristics.objects(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, most)) {
    engine_candidate c;
    auto const engines = config.objects(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    descriptor const& engine = engines.at(0);
    c.choice.engine = static_cast<int>(engine.value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    c.workspace_bytes = config.value<std::int64_t>(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE);
    for (auto note : engine.values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                CUDNN_NUMERICAL_NOTE_TYPE_COUNT))
      c.tensor_cores |= note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    for (auto note : engine.values<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                               CUDNN_BEHAVIOR_NOTE_TYPE_COUNT))
      c.compiled_at_run_time |= note == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
    for (auto const& k : config.objects(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                        CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS))
      c.choice.knobs.push_back({k.value<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE),
                                k.value<std::int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE)});
    std::sort(c.choice.knobs.begin(), c.choice.knobs.end(),
              [](knob const& a, knob const& b) { return a.type < b.type; });
    found.push_back(std::move(c));
  }
  return found;
}

/// A convolution that cuDNN has agreed to compute by a chosen engine.
class convolution_plan {
 public:
  /// Nothing if this cuDNN cannot do it on that device. Throws `cuda::error` for what is no convolution.
  static std::optional<convolution_plan> make(plan_target const& target, convolution_extents const& e,
                                              engine_choice const& choice) {
    descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, convolution_graph::make(target, e))
        .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, std::int64_t{choice.engine});
    if (target.described()) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, target.device());
    if (!engine.try_finalize()) return std::nullopt;
    std::vector<descriptor> knobs;
    for (auto const& each : choice.knobs) {
      descriptor made(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
      made.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(each.type))
          .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, each.value);
      if (!made.try_finalize()) return std::nullopt;
      knobs.push_back(made);
    }
    descriptor config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    if (!knobs.empty()) config.set_all(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, knobs);
    if (!config.try_finalize()) return std::nullopt;
    descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    target.apply(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (!plan.try_finalize()) return std::nullopt;
    return convolution_plan(plan);
  }

  /// Device memory that a run needs beside its tensors.
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  /// Begins the convolution on the handle's stream. All pointers are device memory, aligned to 16 bytes; z is
  /// null if the convolution has none. Throws `cuda::error`.
  void run(cudnnHandle_t handle, void const* x, void const* weights, void const* z, void const* bias, void* y,
           void* workspace) const {
    descriptor const tensors = convolution_graph::bind(x, weights, z, bias, y, workspace);
    check(cudnnBackendExecute(handle, plan_.raw(), tensors.raw()), "cudnnBackendExecute");
  }

 private:
  explicit convolution_plan(descriptor plan)
      : plan_(std::move(plan)),
        workspace_bytes_(
            static_cast<std::size_t>(plan_.value<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))) {}

  descriptor plan_;
  std::size_t workspace_bytes_;
};

}  // namespace batchmate::cuda
