#pragma once

#include <batchmate/eval/batch.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace batchmate::cpu {

/// A bf16 number: the upper half of an fp32 one.
using bf16_bits = std::uint16_t;

/// The nearest bf16, ties to even; not for NaN.
inline bf16_bits to_bf16(float x) {
  auto const bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<bf16_bits>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Writes `count` numbers as fp32; both arrays have room for the next multiple of 8, which is read and written too.
inline void widen(bf16_bits const* from, std::ptrdiff_t count, float* to) {
  typedef std::uint16_t halves __attribute__((vector_size(16)));
  typedef std::uint32_t words __attribute__((vector_size(32)));
  for (std::ptrdiff_t i = 0; i < count; i += 8) {
    halves half;
    std::memcpy(&half, from + i, sizeof half);
    words const whole = __builtin_convertvector(half, words) << 16;
    std::memcpy(to + i, &whole, sizeof whole);
  }
}

/// A number of the input tensor: fp32 as it is, bf16 rounded.
template <class Element>
Element element_of(float x) {
  if constexpr (sizeof(Element) == 2)
    return to_bf16(x);
  else
    return x;
}

/// Unpacks one row into a network's input (H, W, C_in): planes as 0 and 1, then each global in every cell.
template <class Element>
void unpack(std::uint64_t const* row, row_layout const& layout, Element* to) {
  using bits_type = std::conditional_t<sizeof(Element) == 2, std::uint16_t, std::uint32_t>;
  static_assert(sizeof(bits_type) == sizeof(Element));
  auto const one = std::bit_cast<bits_type>(element_of<Element>(1.0f));
  int const cells = layout.input.cells(), words = layout.input.words_per_plane();
  std::ptrdiff_t const channels = layout.input.planes + layout.num_globals;
  for (int plane = 0; plane < layout.input.planes; ++plane)
    for (int w = 0; w < words; ++w) {
      std::uint64_t bits = row[plane * words + w];
      Element* cell = to + w * 64 * channels + plane;
      for (int n = std::min(64, cells - w * 64); n > 0; --n, bits >>= 1, cell += channels)
        *cell = std::bit_cast<Element>(static_cast<bits_type>(one & (0 - (bits & 1))));
    }
  auto const* const globals =
      reinterpret_cast<unsigned char const*>(row + layout.plane_words() + layout.legal_words());
  for (int g = 0; g < layout.num_globals; ++g) {
    float value;
    std::memcpy(&value, globals + g * sizeof(float), sizeof value);
    Element const element = element_of<Element>(value);
    for (int cell = 0; cell < cells; ++cell) to[cell * channels + layout.input.planes + g] = element;
  }
}

}  // namespace batchmate::cpu
