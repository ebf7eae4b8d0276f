#include "groups.hpp"

#include <batchmate/core/random.hpp>

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define BENCHMARKS_X86 1
#include <immintrin.h>
#else
#define BENCHMARKS_X86 0
#endif

namespace batchmate::benchmarks {
namespace {

/// Follows a random cycle through far more memory than any cache holds: every read waits for the one before.
void random_reads(benchmark::State& state) {
  constexpr std::size_t lines = std::size_t{1} << 23;  // of 64 bytes: 512 MB
  struct alignas(64) line {
    std::uint32_t next;
  };
  std::vector<line> memory(lines);
  std::vector<std::uint32_t> order(lines);
  std::iota(order.begin(), order.end(), 0U);
  random_stream random(random_key{1}.split(purpose::test));
  for (std::size_t i = lines - 1; i > 0; --i)
    std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
  for (std::size_t i = 0; i < lines; ++i) memory[order[i]].next = order[(i + 1) % lines];
  std::uint32_t at = 0;
  double reads = 0;
  for (auto _ : state) {
    for (int i = 0; i < 4096; ++i) at = memory[at].next;
    benchmark::DoNotOptimize(at);
    reads += 4096;
  }
  state.counters["s/read"] =
      benchmark::Counter(reads, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

#if BENCHMARKS_X86

constexpr int chains = 16;   // independent, to hide an instruction's latency
constexpr int rounds = 512;  // of all chains

/// 32 multiplications and 32 additions in each of 512 times 16 instructions.
__attribute__((target("avx512f,avx512bf16"))) double bf16_rounds(float* sums) {
  __m512 sum[chains];
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(0);
  auto const x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3c233c23));  // 0.01 everywhere
  for (int r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < chains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], x, x);
  for (int c = 0; c < chains; ++c) _mm512_storeu_ps(sums + 16 * c, sum[c]);
  return 64.0 * chains * rounds;
}

/// 16 multiplications and 16 additions in each.
__attribute__((target("avx512f"))) double fp32_rounds(float* sums) {
  __m512 sum[chains];
  for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(0);
  __m512 const x = _mm512_set1_ps(0.01F);
  for (int r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < chains; ++c) sum[c] = _mm512_fmadd_ps(x, x, sum[c]);
  for (int c = 0; c < chains; ++c) _mm512_storeu_ps(sums + 16 * c, sum[c]);
  return 32.0 * chains * rounds;
}

void add_peak(char const* name, double (*run)(float*)) {
  benchmark::RegisterBenchmark(name, [run](benchmark::State& state) {
    float sums[16 * chains];
    double operations = 0;
    for (auto _ : state) {
      operations += run(sums);
      benchmark::DoNotOptimize(sums);
    }
    state.counters["GFLOP/s"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsRate);
  });
}

#endif

}  // namespace

// Rates per processor second of one core. The bf16 figure is that of AVX512_BF16; AMX, where it is, does more.
void add_limits(measuring const&) {
#if BENCHMARKS_X86
  if (__builtin_cpu_supports("avx512f")) add_peak("limits/fp32_fma", fp32_rounds);
  if (__builtin_cpu_supports("avx512bf16")) add_peak("limits/bf16_dot_products", bf16_rounds);
#endif
  benchmark::RegisterBenchmark("limits/random_reads", random_reads);
}

}  // namespace batchmate::benchmarks
