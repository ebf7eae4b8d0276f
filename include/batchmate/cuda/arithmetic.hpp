#pragma once

#include <batchmate/core/bits.hpp>
#include <batchmate/core/random.hpp>
#include <batchmate/cuda/precision.hpp>
#include <batchmate/eval/batch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

/// The arithmetic of the kernels, element by element, as functions that run on the host too: there they are
/// tested against the library's other evaluators, and here no two threads ever add to the same sum.
namespace batchmate::cuda {

/// Sixteen bytes of numbers: what one thread stores at once.
template <class Element>
struct alignas(16) packet {
  static constexpr int size = 16 / static_cast<int>(sizeof(Element));  ///< numbers
  Element at[size];                                                    ///< in order
};

/// How a row's symmetry is found.
struct symmetry_choice {
  int count = 0;           ///< S; 0: positions are evaluated as they are
  bool random = false;     ///< it is that of `row_symmetries::pick`; else the row names it
  std::uint64_t seed = 0;  ///< for `random`
};

/// Which of the symmetries a row is evaluated under; 0 if the row names one that there is no table for.
BATCHMATE_HD inline int symmetry_of(std::uint64_t const* row, row_layout const& layout,
                                    symmetry_choice const& choice) {
  if (choice.random)
    return draw_by_contents(random_key{choice.seed}.split(purpose::symmetry), row, layout.symmetry_word(),
                            choice.count);
  std::uint64_t const named = row[layout.symmetry_word()];
  return named < static_cast<std::uint64_t>(choice.count) ? static_cast<int>(named) : 0;
}

/// The inputs of the network at one cell, channels `first` to `first + packet::size - 1`: planes as 0 and 1, then
/// globals, then zeros. `cell` is that of the position.
template <class Element>
BATCHMATE_HD packet<Element> unpack_cell(std::uint64_t const* row, row_layout const& layout, int cell,
                                         int first) {
  int const words = layout.input.words_per_plane();
  auto const* const globals =
      reinterpret_cast<float const*>(row + layout.plane_words() + layout.legal_words());
  packet<Element> out;
  for (int i = 0; i < packet<Element>::size; ++i) {
    int const channel = first + i;
    float x = 0;
    if (channel < layout.input.planes)
      x = static_cast<float>(row[channel * words + cell / 64] >> (cell % 64) & 1);
    else if (channel < layout.input.planes + layout.num_globals)
      x = globals[channel - layout.input.planes];
    out.at[i] = narrow<Element>(x);
  }
  return out;
}

/// One step of a sum of products. Host and device round differently here: the host may not fuse.
BATCHMATE_HD inline float add_product(float a, float b, float sum) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, sum);
#else
  return sum + a * b;
#endif
}

/// A fully connected layer on the device; the inputs of row r are x[r * row_stride + i / block * block_stride + i %
/// block].
struct dense_shape {
  int inputs;        ///< a multiple of `block`
  int outputs;       ///< of the layer
  int stride;        ///< floats from one input's weights to the next one's; at least `outputs`
  int block;         ///< inputs that lie side by side
  int block_stride;  ///< numbers from block to block
  int row_stride;    ///< numbers from row to row
  bool relu;         ///< whether negative outputs become zero
};

/// Input i of a row.
template <class Element>
BATCHMATE_HD float dense_input_at(dense_shape const& s, Element const* x, int row, int i) {
  return widen(
      x[static_cast<std::ptrdiff_t>(row) * s.row_stride + i / s.block * s.block_stride + i % s.block]);
}

/// The threads that work on one row of answers together; sums are over lanes, each over every 32nd number.
inline constexpr int lanes = 32;

/// The sum of all lanes' numbers, in the order in which a warp adds them up by butterflies.
inline float sum_over_lanes(float (&x)[lanes]) {
  for (int d = lanes / 2; d > 0; d /= 2)
    for (int l = 0; l < d; ++l) x[l] += x[l + d];
  return x[0];
}

/// One lane's part of the product of two vectors.
BATCHMATE_HD inline float dot_of_lane(float const* a, float const* b, int n, int lane) {
  float sum = 0;
  for (int i = lane; i < n; i += lanes) sum = add_product(a[i], b[i], sum);
  return sum;
}

/// The value in [-1, 1] for the player to move, from the value head's outputs: with 3 (win, draw, loss) by softmax,
/// with 1 by tanh.
BATCHMATE_HD inline float value_of(float first, float second, float third, int count) {
  if (count == 1) return tanhf(first);
  float const largest = fmaxf(first, fmaxf(second, third));
  float const win = expf(first - largest), draw = expf(second - largest), loss = expf(third - largest);
  return (win - loss) / (win + draw + loss);
}

/// Whether action a is in the set.
BATCHMATE_HD inline bool is_legal(std::uint64_t const* legal, int a) { return legal[a >> 6] >> (a & 63) & 1; }

/// How many legal actions come before action a.
BATCHMATE_HD inline int legal_rank(std::uint64_t const* legal, int a) {
  int rank = bit_set<64>::popcount(legal[a >> 6] & ((std::uint64_t{1} << (a & 63)) - 1));
  for (int w = 0; w < a >> 6; ++w) rank += bit_set<64>::popcount(legal[w]);
  return rank;
}

/// What one lane finds among the logits of its legal actions.
struct lane_findings {
  float largest = -INFINITY;  ///< of them
  bool finite = true;         ///< whether all of them are
};

/// What the network calls the actions of a row that it sees under a symmetry. Null: as the position does.
struct renamed_actions {
  std::int32_t const* to = nullptr;    ///< (A) the network's action for the position's
  std::int32_t const* from = nullptr;  ///< (A) the position's action for the network's

  /// Whether action n of the network stands for a legal one.
  BATCHMATE_HD bool is_legal_for_network(std::uint64_t const* legal, int n) const {
    return is_legal(legal, from ? from[n] : n);
  }
};

/// The largest legal logit of a lane. Here and in `exp_sum_of_lane` actions are taken in the network's order, so that
/// sums, too, are those of the moved position.
BATCHMATE_HD inline lane_findings look_at_logits(float const* logits, renamed_actions const& names,
                                                 std::uint64_t const* legal, int num_actions, int lane) {
  lane_findings found;
  for (int n = lane; n < num_actions; n += lanes) {
    if (!names.is_legal_for_network(legal, n)) continue;
    if (!(fabsf(logits[n]) < INFINITY)) found.finite = false;
    found.largest = fmaxf(found.largest, logits[n]);
  }
  return found;
}

/// A lane's part of the softmax's denominator.
BATCHMATE_HD inline float exp_sum_of_lane(float const* logits, renamed_actions const& names,
                                          std::uint64_t const* legal, int num_actions, int lane,
                                          float largest) {
  float sum = 0;
  for (int n = lane; n < num_actions; n += lanes)
    if (names.is_legal_for_network(legal, n)) sum += expf(logits[n] - largest);
  return sum;
}

/// Writes a lane's part of a row of priors, in the position's legal order, and zeros behind the last of `count`.
BATCHMATE_HD inline void write_priors_of_lane(float const* logits, renamed_actions const& names,
                                              std::uint64_t const* legal, int num_actions, int lane,
                                              float largest, float sum, int count, float* priors) {
  float const scale = 1 / sum;
  for (int a = lane; a < num_actions; a += lanes) {
    if (is_legal(legal, a))
      priors[legal_rank(legal, a)] = expf(logits[names.to ? names.to[a] : a] - largest) * scale;
    if (a >= count) priors[a] = 0;
  }
}

}  // namespace batchmate::cuda
