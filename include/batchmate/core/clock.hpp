#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <x86intrin.h>
#endif

namespace batchmate {

/// A monotonic counter of unspecified unit, for shares of time: on x86 the time stamp counter, which costs a
/// few nanoseconds to read.
inline std::uint64_t ticks() {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  return __rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

}  // namespace batchmate
