#pragma once

#include <batchmate/core/macros.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

/// Before a short loop of constant length that must become straight code, so that its array lives in registers.
#ifdef __CUDACC__
#define BATCHMATE_UNROLL _Pragma("unroll")
#else
#define BATCHMATE_UNROLL _Pragma("GCC unroll 16")
#endif

namespace batchmate {

/// A fully connected layer laid out for speed: outputs in blocks of 16, the inputs of a block one after the other.
struct packed_dense {
  static constexpr int lanes = 16;  ///< outputs a block
  /// One number for each output of a block: a line of the cache, so that no read takes two.
  struct alignas(64) line {
    float of[lanes];  ///< (16)
  };

  int outputs = 0;            ///< rows of the layer
  int inputs = 0;             ///< columns of the layer
  std::vector<line> weights;  ///< (blocks, inputs), zeros beyond `outputs`
  std::vector<line> bias;     ///< (blocks), zeros beyond `outputs`

  /// Blocks of outputs.
  int blocks() const { return (outputs + lanes - 1) / lanes; }
  /// Outputs rounded up to whole blocks: the distance between two rows of results.
  int padded_outputs() const { return blocks() * lanes; }
};

/// The layer with its weights (outputs, inputs) and bias (outputs) repacked.
inline packed_dense pack_dense(int outputs, int inputs, float const* weights, float const* bias) {
  packed_dense packed{outputs, inputs, {}, {}};
  auto const blocks = static_cast<std::size_t>(packed.blocks());
  packed.weights.assign(blocks * static_cast<std::size_t>(inputs), {});
  packed.bias.assign(blocks, {});
  for (std::ptrdiff_t o = 0; o < outputs; ++o) {
    std::ptrdiff_t const block = o / packed_dense::lanes, lane = o % packed_dense::lanes;
    for (std::ptrdiff_t i = 0; i < inputs; ++i)
      packed.weights[static_cast<std::size_t>(block * inputs + i)].of[lane] = weights[o * inputs + i];
    packed.bias[static_cast<std::size_t>(block)].of[lane] = bias[o];
  }
  return packed;
}

/// Where the inputs of a dense layer lie: input i of row r is
/// `data[(i / block) * block_stride + r * row_stride + i % block]`. Plain rows have one block.
struct dense_input {
  float const* data;            ///< not owned
  std::ptrdiff_t row_stride;    ///< floats from row to row
  int block;                    ///< inputs that lie side by side; divides the number of inputs
  std::ptrdiff_t block_stride;  ///< floats from block to block
};

namespace dense_kernels {

/// One register of `Width` floats, and the same in memory that is aligned for floats only.
template <int Width>
struct vector_of;
template <>
struct vector_of<4> {
  using type __attribute__((vector_size(16))) = float;
  using in_memory __attribute__((vector_size(16), aligned(4), may_alias)) = float;
};
template <>
struct vector_of<8> {
  using type __attribute__((vector_size(32))) = float;
  using in_memory __attribute__((vector_size(32), aligned(4), may_alias)) = float;
};
template <>
struct vector_of<16> {
  using type __attribute__((vector_size(64))) = float;
  using in_memory __attribute__((vector_size(64), aligned(4), may_alias)) = float;
};

/// Adds a * b to each of `sums`: if `Fused`, with one rounding, by an instruction that the processor must have, whatever
/// the compiler's options say about contraction.
template <bool Fused, class Vector>
BATCHMATE_INLINE void add_product(Vector const& a, float b, Vector& sums) {
#ifdef __x86_64__
  if constexpr (Fused) {
    Vector const all = b - Vector{};
#ifdef __clang__
    // It holds assembly against the features of this function, not of the one that this is inlined into.
    {
#pragma clang fp contract(on)
      sums = a * all + sums;
    }
#else
    asm("vfmadd231ps {%2, %1, %0|%0, %1, %2}" : "+v"(sums) : "v"(a), "v"(all));
#endif
    return;
  }
#endif
  sums += a * b;
}

/// `Blocks` blocks of outputs of `Rows` rows, together: so many sums hide the time that each addition takes, and share
/// what is read. Every sum runs over the inputs in ascending order, so that it depends on none of `Width`, `Rows` and `Blocks`.
template <int Width, int Rows, int Blocks, bool Fused>
BATCHMATE_INLINE void some_outputs(packed_dense const& layer, int block, dense_input const& x, bool relu,
                                   float* y) {
  using vector = typename vector_of<Width>::type;
  using in_memory = typename vector_of<Width>::in_memory;
  constexpr int parts = packed_dense::lanes / Width, wide = Blocks * parts;
  std::ptrdiff_t const stride = layer.padded_outputs();
  packed_dense::line const *const bias = layer.bias.data() + block,
                                  *w = layer.weights.data() + std::ptrdiff_t{block} * layer.inputs;
  vector sums[Rows * wide];  // (Rows, Blocks, parts)
  BATCHMATE_UNROLL
  for (int n = 0; n < Rows * wide; ++n)
    sums[n] = *reinterpret_cast<in_memory const*>(bias[n % wide / parts].of + n % parts * Width);
  for (int first = 0; first < layer.inputs; first += x.block) {
    float const* const from = x.data + first / x.block * x.block_stride;
    for (int i = 0; i < x.block; ++i, ++w) {
      vector weights[wide];  // (Blocks, parts)
      BATCHMATE_UNROLL
      for (int n = 0; n < wide; ++n)
        weights[n] = *reinterpret_cast<in_memory const*>(w[n / parts * layer.inputs].of + n % parts * Width);
      BATCHMATE_UNROLL
      for (int n = 0; n < Rows * wide; ++n)
        add_product<Fused>(weights[n % wide], from[n / wide * x.row_stride + i], sums[n]);
    }
  }
  BATCHMATE_UNROLL
  for (int n = 0; n < Rows * wide; ++n) {
    vector const zero{}, sum = relu ? (sums[n] > zero ? sums[n] : zero) : sums[n];
    *reinterpret_cast<in_memory*>(y + n / wide * stride + block * packed_dense::lanes + n % wide * Width) =
        sum;
  }
}

/// The blocks from `block` on, for a multiple of `Rows` rows. All rows meet the weights of some
/// blocks before those of the next are read.
template <int Width, int Rows, int Blocks, bool Fused>
BATCHMATE_INLINE void rest_of_blocks(packed_dense const& layer, int block, dense_input const& x, int rows,
                                     bool relu, float* y) {
  for (; block + Blocks <= layer.blocks(); block += Blocks)
    for (int r = 0; r < rows; r += Rows)
      some_outputs<Width, Rows, Blocks, Fused>(
          layer, block, {x.data + r * x.row_stride, x.row_stride, x.block, x.block_stride}, relu,
          y + std::ptrdiff_t{r} * layer.padded_outputs());
  if constexpr (Blocks > 1) rest_of_blocks<Width, Rows, Blocks / 2, Fused>(layer, block, x, rows, relu, y);
}

/// The whole layer, `Rows` rows and `Blocks` blocks of outputs at a time; then half as many rows and twice as many blocks,
/// and so on, until the last row.
template <int Width, int Rows, int Blocks, bool Fused = false>
BATCHMATE_INLINE void all_outputs(packed_dense const& layer, dense_input x, int rows, bool relu, float* y) {
  int const whole = rows / Rows * Rows;
  if (whole > 0) rest_of_blocks<Width, Rows, Blocks, Fused>(layer, 0, x, whole, relu, y);
  x.data += whole * x.row_stride, y += std::ptrdiff_t{whole} * layer.padded_outputs();
  if constexpr (Rows > 1) all_outputs<Width, Rows / 2, Blocks * 2, Fused>(layer, x, rows - whole, relu, y);
}

#ifdef __x86_64__
/// `all_outputs` for processors with AVX-512.
__attribute__((target("avx512f"))) inline void with_avx512(packed_dense const& layer, dense_input const& x,
                                                           int rows, bool relu, float* y) {
  all_outputs<16, 8, 2, true>(layer, x, rows, relu, y);
}
/// `all_outputs` for processors with AVX2 and FMA.
__attribute__((target("avx2,fma"))) inline void with_avx2(packed_dense const& layer, dense_input const& x,
                                                          int rows, bool relu, float* y) {
  all_outputs<8, 4, 1, true>(layer, x, rows, relu, y);
}
#endif

}  // namespace dense_kernels

/// Whether `run_dense` rounds a product and the sum it is added to once, as processors with AVX2 and FMA do, or each. It
/// changes the last bits, and so belongs to an evaluator's identity.
inline bool dense_is_fused() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

/// y = layer(x), or relu of it, for `rows` rows of x; row r of y begins at `r * layer.padded_outputs()` and
/// is written with its padding. Sums run over the inputs in ascending order in fp32, starting from the bias,
/// so that a row does not depend on how many there are; the widest registers of the processor are used, and
/// `dense_is_fused` says how sums are rounded.
inline void run_dense(packed_dense const& layer, dense_input const& x, int rows, bool relu, float* y) {
#ifdef __x86_64__
  if (dense_is_fused()) {
    if (__builtin_cpu_supports("avx512f")) return dense_kernels::with_avx512(layer, x, rows, relu, y);
    return dense_kernels::with_avx2(layer, x, rows, relu, y);
  }
#endif
  dense_kernels::all_outputs<4, 2, 1>(layer, x, rows, relu, y);
}

}  // namespace batchmate
