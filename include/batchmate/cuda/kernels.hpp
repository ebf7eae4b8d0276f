#pragma once

#if !defined(__CUDACC__) && !defined(BATCHMATE_EMULATED_GPU)
#error "batchmate: <batchmate/cuda.hpp> must be compiled as CUDA, by nvcc (name the file .cu)"
#endif

#include <batchmate/cuda/arithmetic.hpp>
#include <batchmate/cuda/packing.hpp>
#include <batchmate/cuda/resources.hpp>
#include <batchmate/cuda/timeline.hpp>

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// What runs on the device beside cuDNN's convolutions. Every sum belongs to one row and is added up in an order
/// that depends on nothing else; no sum uses atomics. All kernels are templates, since nvcc knows no inline ones.
namespace batchmate::cuda::kernels {

/// The nanoseconds of the device's clock.
__device__ inline std::uint64_t device_clock() {
#ifdef BATCHMATE_EMULATED_GPU
  return emulated_gpu::clock();
#else
  std::uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
  return now;
#endif
}

/// Is never launched: the driver is asked how many of its blocks would run at the same time.
template <int = 0>
__global__ void nothing() {}

/// Notes the time; one thread.
template <int = 0>
__global__ void stamp(std::uint64_t* to) {
  *to = device_clock();
}

/// Notes when a batch begins to be computed, and that no fault has been found; one thread.
template <int = 0>
__global__ void begin(receipt* to) {
  to->compute_begin = device_clock();
  to->fault = receipt::no_fault;
}

/// Finds each row's symmetry; one thread a row.
template <int = 0>
__global__ void find_symmetry(std::uint64_t const* rows, row_layout layout, int count, symmetry_choice choice,
                              std::int32_t* found) {
  int const b = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (b < count)
    found[b] = symmetry_of(rows + static_cast<std::ptrdiff_t>(b) * layout.words(), layout, choice);
}

/// Packed rows to (B, H, W, C), channels padded; one thread writes 16 bytes.
template <class Element>
__global__ void unpack(std::uint64_t const* rows, row_layout layout, int count, int channels,
                       std::int32_t const* cell_table, std::int32_t const* symmetry, packet<Element>* out) {
  int const packets = channels / packet<Element>::size;  // a cell
  std::int64_t const at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  int const cells = layout.input.cells();
  std::int64_t const place = at / packets;  // (row, cell)
  int const b = static_cast<int>(place / cells);
  if (b >= count) return;
  int cell = static_cast<int>(place % cells);
  if (symmetry) cell = cell_table[symmetry[b] * cells + cell];
  out[at] = unpack_cell<Element>(rows + static_cast<std::ptrdiff_t>(b) * layout.words(), layout, cell,
                                 static_cast<int>(at % packets) * packet<Element>::size);
}

inline constexpr int dense_rows = 16;    ///< rows that a block of `dense` works on
inline constexpr int dense_inputs = 32;  ///< inputs that it holds at a time

/// A fully connected layer on the device.
template <class Element>
struct dense_layer {
  dense_shape shape;
  Element const* x;      ///< what `dense_input_at` reads
  float const* weights;  ///< (inputs, stride)
  float const* bias;     ///< (stride)
  float* y;              ///< (B, stride)
  /// Blocks that share its outputs.
  __host__ __device__ unsigned blocks() const {
    return static_cast<unsigned>(shape.stride / packed_network::dense_outputs);
  }
};

/// Two fully connected layers in fp32, side by side: y = x * weights + bias, each output's sum over the inputs in ascending
/// order, from the bias. A block of 128 threads computes as many outputs of 16 rows, so that each weight is read once for
/// them. All that a thread reads for the next 32 inputs is under way at once, and nothing branches between their products:
/// few blocks run, so that nothing else would hide the latencies. Outputs beyond a layer's own come out of zero weights.
template <class Element>
__global__ void dense(dense_layer<Element> one, dense_layer<Element> other, int count) {
  bool const is_one = blockIdx.y < one.blocks();
  auto const [shape, x, weights, bias, y] = is_one ? one : other;
  constexpr int threads = packed_network::dense_outputs, readers = threads / dense_inputs;
  // Four columns more spread the writes over the banks and keep the reads, of 16 bytes, aligned.
  alignas(16) __shared__ float held[dense_inputs][dense_rows + 4];
  int const output =
      static_cast<int>(blockIdx.y - (is_one ? 0 : one.blocks())) * threads + static_cast<int>(threadIdx.x);
  int const first_row = static_cast<int>(blockIdx.x) * dense_rows;
  int const input = static_cast<int>(threadIdx.x) % dense_inputs,
            reader = static_cast<int>(threadIdx.x) / dense_inputs;
  float sums[dense_rows];
#pragma unroll
  for (int r = 0; r < dense_rows; ++r) sums[r] = bias[output];
  for (int first = 0; first < shape.inputs; first += dense_inputs) {
    // Beyond the last row that one is read again, and not used; beyond the last input that one, with a weight of 0.
    int const last = shape.inputs - 1;
    float read[dense_rows / readers], w[dense_inputs];
#pragma unroll
    for (int k = 0; k < dense_rows / readers; ++k)
      read[k] = dense_input_at(shape, x, min(first_row + k * readers + reader, count - 1),
                               min(first + input, last));
#pragma unroll
    for (int i = 0; i < dense_inputs; ++i)
      w[i] =
          first + i > last ? 0.0f : weights[static_cast<std::ptrdiff_t>(first + i) * shape.stride + output];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < dense_rows / readers; ++k) held[input][k * readers + reader] = read[k];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < dense_inputs; ++i) {
#pragma unroll
      for (int r = 0; r < dense_rows; ++r) sums[r] = add_product(held[i][r], w[i], sums[r]);
    }
  }
#pragma unroll
  for (int r = 0; r < dense_rows; ++r)
    if (first_row + r < count)
      y[static_cast<std::ptrdiff_t>(first_row + r) * shape.stride + output] =
          shape.relu && sums[r] < 0 ? 0.0f : sums[r];  // NaN stays
}

/// What `answer` reads and writes.
struct answer_arguments {
  std::uint64_t const* rows;     ///< (B, words)
  row_layout layout;             ///< of `rows`
  int count;                     ///< B
  float const* logits;           ///< (B, logit_stride)
  int logit_stride;              ///< floats
  float const* hidden;           ///< (B, hidden_stride)
  int hidden_stride;             ///< floats
  int hidden_size;               ///< outputs of the hidden layer
  float const* value_weights;    ///< (value_outputs, hidden_size)
  float const* value_bias;       ///< (value_outputs)
  int value_outputs;             ///< 3 or 1
  renamed_actions names;         ///< (S, A) each, or null
  std::int32_t const* symmetry;  ///< (B), or null
  float* values;                 ///< (B)
  float* priors;                 ///< (B, A)
  receipt* faults;               ///< where a result that is not finite is told
};

/// A number of every lane, added up; all lanes get the sum.
__device__ inline float warp_sum(float x) {
  for (int d = lanes / 2; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}
/// The largest number of all lanes.
__device__ inline float warp_max(float x) {
  for (int d = lanes / 2; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
  return x;
}

/// Value and priors of every row, from logits and hidden layer; one warp a row.
template <int = 0>
__global__ void answer(answer_arguments a) {
  int const b = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / lanes);
  int const lane = static_cast<int>(threadIdx.x) % lanes;
  if (b >= a.count) return;  // a whole warp leaves
  float const* const hidden = a.hidden + static_cast<std::ptrdiff_t>(b) * a.hidden_stride;
  float outputs[3] = {};
  for (int o = 0; o < a.value_outputs; ++o)
    outputs[o] = warp_sum(dot_of_lane(hidden, a.value_weights + o * a.hidden_size, a.hidden_size, lane)) +
                 a.value_bias[o];
  float const value = value_of(outputs[0], outputs[1], outputs[2], a.value_outputs);

  int const num_actions = a.layout.num_actions;
  float const* const logits = a.logits + static_cast<std::ptrdiff_t>(b) * a.logit_stride;
  std::uint64_t const* const legal =
      a.rows + static_cast<std::ptrdiff_t>(b) * a.layout.words() + a.layout.plane_words();
  renamed_actions names;
  if (a.symmetry) {
    int const first = a.symmetry[b] * num_actions;
    names = {a.names.to + first, a.names.from + first};
  }
  int count = 0;
  for (int w = 0; w < a.layout.legal_words(); ++w) count += bit_set<64>::popcount(legal[w]);
  lane_findings const found = look_at_logits(logits, names, legal, num_actions, lane);
  float const largest = warp_max(found.largest);
  bool const finite = __all_sync(0xffffffffu, found.finite) && fabsf(value) <= 1.0f;
  float const sum = warp_sum(exp_sum_of_lane(logits, names, legal, num_actions, lane, largest));
  write_priors_of_lane(logits, names, legal, num_actions, lane, largest, sum, count,
                       a.priors + static_cast<std::ptrdiff_t>(b) * num_actions);
  if (lane == 0) {
    a.values[b] = value;
    if (!finite) atomicMin(&a.faults->fault, static_cast<unsigned long long>(b));
  }
}

/// So many blocks that every one of `n` things gets a thread.
inline unsigned blocks_for(std::int64_t n, int threads) {
  return static_cast<unsigned>((n + threads - 1) / threads);
}

/// Puts a kernel on a stream; throws `cuda::error` with its name if it cannot be started.
template <class... Parameters>
void launch(char const* name, void (*kernel)(Parameters...), dim3 grid, int threads, cudaStream_t on,
            std::type_identity_t<Parameters>... arguments) {
  void* places[] = {&arguments...};
  check(cudaLaunchKernel(reinterpret_cast<void const*>(kernel), grid, dim3(static_cast<unsigned>(threads)),
                         places, 0, on),
        name);
}

}  // namespace batchmate::cuda::kernels
