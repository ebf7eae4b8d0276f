#pragma once

#include <batchmate/core/macros.hpp>

#include <bit>
#include <cstdint>

namespace batchmate {

/// A set of the integers 0 to N - 1, one bit each, in 64-bit words, lowest first. Bits beyond N are always zero.
template <int N>
struct bit_set {
  static constexpr int num_words = (N + 63) / 64;  ///< 64-bit words held
  static constexpr std::uint64_t last_mask = N % 64 ? (std::uint64_t{1} << (N % 64)) - 1 : ~std::uint64_t{0};

  std::uint64_t words[num_words] = {};  ///< bit i is bit i % 64 of word i / 64

  /// The set of all N integers.
  BATCHMATE_HD static constexpr bit_set all() {
    bit_set s;
    for (auto& w : s.words) w = ~std::uint64_t{0};
    s.words[num_words - 1] = last_mask;
    return s;
  }

  /// The set {i}.
  BATCHMATE_HD static constexpr bit_set only(int i) {
    bit_set s;
    s.set(i);
    return s;
  }

  /// Whether i is in the set.
  BATCHMATE_HD constexpr bool test(int i) const { return words[i >> 6] >> (i & 63) & 1; }
  /// Adds i.
  BATCHMATE_HD constexpr void set(int i) { words[i >> 6] |= std::uint64_t{1} << (i & 63); }
  /// Removes i.
  BATCHMATE_HD constexpr void reset(int i) { words[i >> 6] &= ~(std::uint64_t{1} << (i & 63)); }

  /// How many integers the set holds.
  BATCHMATE_HD constexpr int count() const {
    int n = 0;
    for (auto w : words) n += popcount(w);
    return n;
  }
  BATCHMATE_HD constexpr bool any() const {
    std::uint64_t seen = 0;
    for (auto w : words) seen |= w;
    return seen != 0;
  }
  BATCHMATE_HD constexpr bool none() const { return !any(); }

  /// The smallest integer in the set, or N when it is empty.
  BATCHMATE_HD constexpr int first() const {
    for (int w = 0; w < num_words; ++w)
      if (words[w]) return w * 64 + lowest(words[w]);
    return N;
  }

  /// The n-th smallest integer, counting from 0; n < count().
  BATCHMATE_HD constexpr int nth(int n) const {
    for (int w = 0; w < num_words; ++w) {
      std::uint64_t rest = words[w];
      int const here = popcount(rest);
      if (n < here) {
        for (; n > 0; --n) rest &= rest - 1;
        return w * 64 + lowest(rest);
      }
      n -= here;
    }
    return N;
  }

  /// Calls `visit(i)` for every i in the set, ascending.
  template <class Visit>
  BATCHMATE_HD constexpr void for_each(Visit&& visit) const {
    for (int w = 0; w < num_words; ++w)
      for (std::uint64_t rest = words[w]; rest; rest &= rest - 1) visit(w * 64 + lowest(rest));
  }

  BATCHMATE_HD constexpr bit_set& operator|=(bit_set const& o) {
    for (int w = 0; w < num_words; ++w) words[w] |= o.words[w];
    return *this;
  }
  BATCHMATE_HD constexpr bit_set& operator&=(bit_set const& o) {
    for (int w = 0; w < num_words; ++w) words[w] &= o.words[w];
    return *this;
  }
  BATCHMATE_HD friend constexpr bit_set operator|(bit_set a, bit_set const& b) { return a |= b; }
  BATCHMATE_HD friend constexpr bit_set operator&(bit_set a, bit_set const& b) { return a &= b; }
  BATCHMATE_HD friend constexpr bit_set operator~(bit_set a) {
    for (auto& w : a.words) w = ~w;
    a.words[num_words - 1] &= last_mask;
    return a;
  }

  /// Every integer moved up by n, 0 <= n < 64; those that would reach N are dropped.
  BATCHMATE_HD friend constexpr bit_set operator<<(bit_set a, int n) {
    if (n == 0) return a;
    for (int w = num_words - 1; w > 0; --w) a.words[w] = a.words[w] << n | a.words[w - 1] >> (64 - n);
    a.words[0] <<= n;
    a.words[num_words - 1] &= last_mask;
    return a;
  }

  /// Every integer moved down by n, 0 <= n < 64; those that would fall below 0 are dropped.
  BATCHMATE_HD friend constexpr bit_set operator>>(bit_set a, int n) {
    if (n == 0) return a;
    for (int w = 0; w + 1 < num_words; ++w) a.words[w] = a.words[w] >> n | a.words[w + 1] << (64 - n);
    a.words[num_words - 1] >>= n;
    return a;
  }

  friend constexpr bool operator==(bit_set const&, bit_set const&) = default;

  /// The number of ones in a word. Compilers make one instruction of it where the processor asked for has that, and
  /// elsewhere `std::popcount` would be a call: sums of 2, 4 and 8 bits, then of all bytes in the highest one.
  BATCHMATE_HD static constexpr int popcount(std::uint64_t w) {
#ifdef __CUDA_ARCH__
    return __popcll(w);
#else
    w -= w >> 1 & 0x5555555555555555;
    w = (w & 0x3333333333333333) + (w >> 2 & 0x3333333333333333);
    w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return static_cast<int>(w * 0x0101010101010101 >> 56);
#endif
  }
  /// The index of the lowest one in a word that is not zero.
  BATCHMATE_HD static constexpr int lowest(std::uint64_t w) {
#ifdef __CUDA_ARCH__
    return __ffsll(static_cast<long long>(w)) - 1;
#else
    return std::countr_zero(w);
#endif
  }
};

/// A set of actions of a game that has A of them.
template <int A>
using action_set = bit_set<A>;

}  // namespace batchmate
