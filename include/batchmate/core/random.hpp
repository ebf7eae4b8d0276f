#pragma once

#include <batchmate/core/macros.hpp>

#include <cmath>
#include <cstdint>

namespace batchmate {

/// A bijective 64-bit mix with full avalanche (Stafford's variant 13, the finaliser of SplitMix64).
BATCHMATE_HD constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// What a random number is drawn for; two purposes never share numbers.
enum class purpose : std::uint64_t {
  opening = 1,
  noise,
  sampling,
  move,
  rollout,
  symmetry,
  test,
  resignation
};

/// A node in a tree of random streams. Splitting by a number gives an independent child, so that a draw is a
/// function of (seed, episode, ply, path, purpose) and of nothing that happened before it.
struct random_key {
  std::uint64_t state = 0;  ///< the key's identity

  /// The child number `n`.
  BATCHMATE_HD constexpr random_key split(std::uint64_t n) const {
    return {mix_bits(state * 0x9e3779b97f4a7c15ULL + mix_bits(n + 0x632be59bd9b4e019ULL))};
  }
  /// The child for a purpose.
  BATCHMATE_HD constexpr random_key split(purpose p) const {
    return split(static_cast<std::uint64_t>(p) + 0x5a00000000000000ULL);
  }
};

/// An integer in [0, n), n > 0, drawn by the key and the contents of `count` words: a hash of them.
BATCHMATE_HD constexpr int draw_by_contents(random_key key, std::uint64_t const* words, int count, int n) {
  for (int w = 0; w < count; ++w) key.state = mix_bits(key.state * 0x9e3779b97f4a7c15ULL + words[w]);
  return static_cast<int>((key.state >> 32) * static_cast<std::uint64_t>(n) >> 32);
}

/// The sequence of numbers that belongs to one key (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
class random_stream {
 public:
  BATCHMATE_HD constexpr explicit random_stream(random_key key) : state_(key.state) {}

  /// 64 independent bits.
  BATCHMATE_HD constexpr std::uint64_t bits() { return mix_bits(state_ += 0x9e3779b97f4a7c15ULL); }

  /// A float in [0, 1), a multiple of 2^-24.
  BATCHMATE_HD constexpr float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }

  /// An integer in [0, n), n > 0; the bias is below n / 2^32 (Lemire's multiply-shift).
  BATCHMATE_HD constexpr std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(((bits() >> 32) * n) >> 32);
  }

  /// A standard normal number (Box and Muller, one of the pair).
  double normal() {
    double const radius = std::sqrt(-2.0 * std::log(open_unit()));
    return radius * std::cos(6.283185307179586 * open_unit());
  }

  /// A Gamma(shape, 1) number, shape > 0 (Marsaglia and Tsang, ACM TOMS 26, 2000).
  double gamma(double shape) {
    if (shape < 1) return gamma(shape + 1) * std::pow(open_unit(), 1 / shape);
    double const d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      double const x = normal(), t = 1 + c * x, v = t * t * t;
      if (v > 0 && std::log(open_unit()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }

  /// A standard Gumbel number: -log(-log u) with u from `open_unit`.
  double gumbel() { return -std::log(-std::log(open_unit())); }

  /// A double in (0, 1).
  constexpr double open_unit() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }

 private:
  std::uint64_t state_;
};

}  // namespace batchmate
