/// cuDNN's backend interface, as far as the library uses it, for emulated devices. It takes one kind of graph, the one
/// that the library builds: a convolution, perhaps a residual, a bias and ReLU, in that order.
#include "stream.hpp"

#include <batchmate/cuda/convolution.hpp>

#include <cudnn.h>
#include <cudnn_backend.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

struct cudnnContext {
  int device = 0;
  cudaStream_t stream = nullptr;
};

namespace {

using batchmate::cuda::convolution_extents;
using batchmate::cuda::precision;
namespace uid = batchmate::cuda::convolution_graph;

constexpr std::int64_t workspace = 256;  // bytes, of every plan for more than `few` rows
constexpr int few = 3;

/// Whether an attribute is of a type, for those where C++ cannot tell two types apart; the tests of tests/cuda that need
/// no GPU ask the real cuDNN about the others.
bool is_of_type(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) {
  bool const is_place =
      name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS || name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE;
  return is_place ? type == CUDNN_TYPE_VOID_PTR : type != CUDNN_TYPE_VOID_PTR;
}

/// A descriptor: its attributes as they were given; other descriptors among them by address.
struct object {
  cudnnBackendDescriptorType_t type{};
  std::map<cudnnBackendAttributeName_t, std::vector<std::byte>> attributes;
  bool final = false;

  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name) const {
    auto const found = attributes.find(name);
    if (found == attributes.end() || found->second.empty()) return {};
    std::vector<T> values(found->second.size() / sizeof(T));
    std::memcpy(values.data(), found->second.data(), values.size() * sizeof(T));
    return values;
  }
  template <class T>
  T one(cudnnBackendAttributeName_t name) const {
    auto const found = attributes.find(name);
    T value{};
    if (found != attributes.end()) std::memcpy(&value, found->second.data(), sizeof(T));
    return value;
  }
  object const* part(cudnnBackendAttributeName_t name) const { return one<object const*>(name); }
  template <class T>
  void put(cudnnBackendAttributeName_t name, std::vector<T> const& values) {
    auto const* const from = reinterpret_cast<std::byte const*>(values.data());
    attributes[name].assign(from, from + values.size() * sizeof(T));
  }
};

std::size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return sizeof(void*);
    default:
      return 4;  // enumerations and float
  }
}

std::vector<std::int64_t> extents_of(object const& tensor) {
  return tensor.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
}

/// Whether a tensor is NHWC, aligned, and of the type and the name that it is expected to have.
bool is_tensor(object const* t, std::vector<std::int64_t> const& nchw, cudnnDataType_t type,
               std::int64_t id) {
  if (!t || !t->final || nchw.size() != 4) return false;
  std::vector<std::int64_t> const strides{nchw[1] * nchw[2] * nchw[3], 1, nchw[3] * nchw[1], nchw[1]};
  return extents_of(*t) == nchw && t->all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES) == strides &&
         t->one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) == type &&
         t->one<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT) % 16 == 0 &&
         (id == 0 || t->one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID) == id) &&
         t->one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL) == (id == 0);
}

/// What a graph computes; nothing if it is not the fusion that is known here.
std::optional<convolution_extents> understood(object const* graph) {
  if (!graph || !graph->final) return {};
  auto const steps = graph->all<object const*>(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (steps.size() < 3 || steps.size() > 4 ||
      steps[0]->type != CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
    return {};
  object const* const x = steps[0]->part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X);
  object const* const w = steps[0]->part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W);
  object const* const how = steps[0]->part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
  if (!x || !w || !how) return {};
  auto const in = extents_of(*x), filter = extents_of(*w);
  if (in.size() != 4 || filter.size() != 4 || in[1] % 8 != 0 || filter[0] % 8 != 0) return {};
  auto const type = x->one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  std::vector<std::int64_t> const out{in[0], filter[0], in[2], in[3]}, pads(2, filter[2] / 2), ones(2, 1),
      bias{1, filter[0], 1, 1};
  bool fits = is_tensor(x, in, type, uid::x) &&
              is_tensor(w, {filter[0], in[1], filter[2], filter[2]}, type, uid::weights) &&
              how->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) == pads &&
              how->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) == pads &&
              how->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS) == ones &&
              how->all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES) == ones &&
              how->one<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION &&
              how->one<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) == CUDNN_DATA_FLOAT &&
              steps[0]->one<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA) == 1 &&
              steps[0]->one<float>(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA) == 0;
  object const* last = steps[0]->part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
  fits = fits && is_tensor(last, out, CUDNN_DATA_FLOAT, 0);
  for (std::size_t i = 1; i < steps.size(); ++i) {
    object const& step = *steps[i];
    if (step.type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) return {};
    bool const is_relu = i + 1 == steps.size(), is_bias = i + 2 == steps.size();
    auto const mode = step.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
                          ->one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    object const* const added = step.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    object const* const to = step.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    fits = fits && step.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC) == last;
    if (is_relu)
      fits = fits && mode == CUDNN_POINTWISE_RELU_FWD && is_tensor(to, out, type, uid::y);
    else
      fits = fits && mode == CUDNN_POINTWISE_ADD && is_tensor(to, out, CUDNN_DATA_FLOAT, 0) &&
             (is_bias ? is_tensor(added, bias, type, uid::bias) : is_tensor(added, out, type, uid::z));
    last = to;
  }
  if (!fits) return {};
  auto const number = [](std::int64_t n) { return static_cast<int>(n); };
  return convolution_extents{number(in[0]),
                             number(in[1]),
                             number(filter[0]),
                             number(in[2]),
                             number(in[3]),
                             number(filter[2]),
                             steps.size() == 4,
                             type == CUDNN_DATA_HALF       ? precision::fp16
                             : type == CUDNN_DATA_BFLOAT16 ? precision::bf16
                                                           : precision::fp32};
}

/// Which engines there are: as on Hopper, one for the short types and one for fp32, and an older one for all.
bool has_engine(object const& engine) {
  auto const what = understood(engine.part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
  auto const index = engine.one<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  return what && (index == 10 || index == (what->elements == precision::fp32 ? 11 : 41));
}

object made(cudnnBackendDescriptorType_t type) {
  object o;
  o.type = type;
  return o;
}

/// An engine's settings as the heuristics propose them. What they refer to is kept for good: it is a test.
object proposal(object const* graph, std::int64_t index,
                std::vector<std::pair<int, std::int64_t>> const& knobs,
                std::vector<cudnnBackendBehaviorNote_t> const& notes) {
  static std::mutex mutex;
  static std::deque<object> kept;
  auto const keep = [](object o) -> object const* {
    o.final = true;
    std::lock_guard lock(mutex);
    return &kept.emplace_back(std::move(o));
  };
  object engine = made(CUDNN_BACKEND_ENGINE_DESCRIPTOR), config = made(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  engine.put(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, std::vector{graph});
  engine.put(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, std::vector{index});
  engine.put(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, notes);
  std::vector<object const*> settings;
  for (auto const& [type, value] : knobs) {
    object k = made(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    k.put(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, std::vector{type});
    k.put(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, std::vector{value});
    settings.push_back(keep(k));
  }
  config.put(CUDNN_ATTR_ENGINECFG_ENGINE, std::vector{keep(engine)});
  config.put(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, settings);
  config.put(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE, std::vector{workspace});
  config.final = true;
  return config;
}

/// Some that are to be taken and some that are not: compiled at run time, with split sums.
std::vector<object> proposals(object const& heuristics) {
  object const* const graph = heuristics.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  auto const what = understood(graph);
  if (!what) return {};
  int const tile = CUDNN_KNOB_TYPE_TILE_SIZE;
  if (what->elements == precision::fp32) return {proposal(graph, 11, {{tile, 4}}, {})};
  return {proposal(graph, 41, {{tile, 1}}, {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}),
          proposal(graph, 41, {{tile, 1}, {CUDNN_KNOB_TYPE_SPLIT_K_SLC, 2}}, {}),
          proposal(graph, 41, {{tile, 2}}, {}), proposal(graph, 10, {}, {})};
}

/// What a plan computes; nothing if it is not final.
std::optional<convolution_extents> planned(object const& plan) {
  object const* const config = plan.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  object const* const engine = config ? config->part(CUDNN_ATTR_ENGINECFG_ENGINE) : nullptr;
  if (!engine || !config->final || !engine->final) return {};
  return understood(engine->part(CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
}

/// Where the tensors of a run are.
struct tensors {
  void const *x, *weights, *z, *bias;
  void* y;
};

/// sums[k] += sum over c of x[c] * weights[c][k]. Of numbers that nobody else has, so that no sanitizer need watch
/// it, which would take most of the time that the tests take.
__attribute__((no_sanitize("address", "thread", "undefined")))  // which clang knows in this form only
void add_products(float const* x, float const* weights, int inputs, int outputs, float* sums) {
  for (int c = 0; c < inputs; ++c, weights += outputs)
    for (int k = 0; k < outputs; ++k) sums[k] += x[c] * weights[k];
}

/// relu(convolution(x) + z + bias); every sum in the order of the filter's rows, columns and channels.
template <class Element>
void convolve(convolution_extents const& e, tensors const& at) {
  using batchmate::cuda::narrow;
  using batchmate::cuda::widen;
  auto const numbers = [](void const* from, int count) {
    std::vector<float> all(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = widen(static_cast<Element const*>(from)[i]);
    return all;
  };
  int const cells = e.height * e.width, taps = e.kernel * e.kernel, pad = e.kernel / 2;
  auto const given = numbers(at.weights, e.outputs * taps * e.inputs), bias = numbers(at.bias, e.outputs);
  std::vector<float> weights(given.size());  // (R, S, C, K), so that the innermost loop is over outputs
  for (int k = 0; k < e.outputs; ++k)
    for (int i = 0; i < taps * e.inputs; ++i)
      weights[static_cast<std::size_t>(i * e.outputs + k)] =
          given[static_cast<std::size_t>(k * taps * e.inputs + i)];
  std::vector<float> sums(static_cast<std::size_t>(e.outputs));
  for (int n = 0; n < e.rows; ++n) {
    std::ptrdiff_t const first = static_cast<std::ptrdiff_t>(n) * cells;
    auto const x = numbers(static_cast<Element const*>(at.x) + first * e.inputs, cells * e.inputs);
    for (int cell = 0; cell < cells; ++cell) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (int tap = 0; tap < taps; ++tap) {
        int const row = cell / e.width + tap / e.kernel - pad, column = cell % e.width + tap % e.kernel - pad;
        if (row < 0 || row >= e.height || column < 0 || column >= e.width) continue;
        add_products(x.data() + (row * e.width + column) * e.inputs,
                     weights.data() + tap * e.inputs * e.outputs, e.inputs, e.outputs, sums.data());
      }
      std::ptrdiff_t const out = (first + cell) * e.outputs;
      for (int k = 0; k < e.outputs; ++k) {
        float sum = sums[static_cast<std::size_t>(k)];
        if (at.z) sum += widen(static_cast<Element const*>(at.z)[out + k]);
        sum += bias[static_cast<std::size_t>(k)];
        static_cast<Element*>(at.y)[out + k] = narrow<Element>(
            sum > 0 || sum != sum ? sum : 0.0f);  // NaN stays, so that memory nobody wrote is seen
      }
    }
  }
}

/// Whether every tensor lies in a device's memory, whole and aligned.
bool are_there(int device, convolution_extents const& e, tensors const& at) {
  std::size_t const element = batchmate::cuda::element_bytes(e.elements),
                    places = static_cast<std::size_t>(e.rows) * static_cast<std::size_t>(e.height * e.width);
  auto const there = [&](void const* p, std::size_t count) {
    return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 &&
           emulated_gpu::is_memory_of(device, p, count * element);
  };
  std::size_t const inputs = static_cast<std::size_t>(e.inputs),
                    outputs = static_cast<std::size_t>(e.outputs);
  return there(at.x, places * inputs) && there(at.y, places * outputs) && there(at.bias, outputs) &&
         there(at.weights, inputs * outputs * static_cast<std::size_t>(e.kernel * e.kernel)) &&
         e.residual == (at.z != nullptr) && (!at.z || there(at.z, places * outputs));
}

object* of(cudnnBackendDescriptor_t descriptor) { return static_cast<object*>(descriptor); }

}  // namespace

extern "C" {

std::size_t cudnnGetVersion() { return CUDNN_VERSION; }
char const* cudnnGetErrorString(cudnnStatus_t) { return "an error of the emulated cuDNN"; }
void cudnnGetLastErrorString(char* message, std::size_t size) {
  if (size > 0) *message = 0;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* made) {
  emulated_gpu::break_captures(emulated_gpu::current_device());
  *made = new cudnnContext{emulated_gpu::current_device(), nullptr};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  emulated_gpu::break_captures(handle->device);
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  if (stream->device != handle->device) return CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* made_at) {
  *made_at = new object(made(type));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete of(descriptor);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count,
                                       void const* values) {
  if (of(descriptor)->final || !is_of_type(name, type)) return CUDNN_STATUS_BAD_PARAM;
  auto const* const from = static_cast<std::byte const*>(values);
  of(descriptor)->attributes[name].assign(from, from + static_cast<std::size_t>(count) * bytes_of(type));
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  object& o = *of(descriptor);
  if (o.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR && !has_engine(o)) return CUDNN_STATUS_NOT_SUPPORTED;
  if (o.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    auto const what = planned(o);
    if (!what) return CUDNN_STATUS_BAD_PARAM;
    o.put(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
          std::vector{what->rows > few ? workspace : std::int64_t{0}});
  }
  o.final = true;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t most,
                                       std::int64_t* count, void* values) {
  object const& o = *of(descriptor);
  if (!o.final) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    auto const found = o.all<std::byte>(name);
    *count = std::min(most, static_cast<std::int64_t>(found.size() / bytes_of(type)));
    std::copy_n(found.data(), static_cast<std::size_t>(*count) * bytes_of(type),
                static_cast<std::byte*>(values));
    return CUDNN_STATUS_SUCCESS;
  }
  std::vector<object> found;
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS)
    found = proposals(o);
  else
    for (object const* each : o.all<object const*>(name)) found.push_back(*each);
  *count = std::min(most, static_cast<std::int64_t>(found.size()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(*count); ++i)
    *of(static_cast<cudnnBackendDescriptor_t*>(values)[i]) = found[i];
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  auto const e = planned(*of(plan));
  auto const ids = of(pack)->all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  auto const places = of(pack)->all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  void* const scratch = of(pack)->one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (!e || !of(plan)->final || !of(pack)->final || ids.size() != places.size() ||
      handle->device != emulated_gpu::current_device() || !handle->stream ||
      !emulated_gpu::is_memory_of(handle->device, scratch, workspace))
    return CUDNN_STATUS_BAD_PARAM;
  auto const place_of = [&](std::int64_t id) -> void* {
    auto const found = std::find(ids.begin(), ids.end(), id);
    return found == ids.end() ? nullptr : places[static_cast<std::size_t>(found - ids.begin())];
  };
  tensors const at{place_of(uid::x), place_of(uid::weights), place_of(uid::z), place_of(uid::bias),
                   place_of(uid::y)};
  if (!are_there(handle->device, *e, at)) return CUDNN_STATUS_BAD_PARAM;
  handle->stream->put([e = *e, at, scratch] {
    std::memset(scratch, 0xff, workspace);
    batchmate::cuda::with_element(e.elements, [&]<class Element>(Element) { convolve<Element>(e, at); });
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
