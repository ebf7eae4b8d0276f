#pragma once

#include <cfloat>
#include <cstddef>

// -ffast-math, -Ofast: a compiler that takes NaN for impossible removes the checks of what networks and games say.
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ == 1
#error "batchmate: compile without -ffast-math: NaN and infinity must be told from numbers"
#endif
static_assert(sizeof(std::size_t) == 8, "batchmate: needs a 64-bit machine");
static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16,
              "batchmate: needs float arithmetic without more precision in between, as games depend on it");

/// Marks a function that must compile for the host and for a CUDA device alike.
#ifdef __CUDACC__
#define BATCHMATE_HD __host__ __device__
#else
#define BATCHMATE_HD
#endif

/// Keeps a hot function inside its caller.
#if defined(__GNUC__) || defined(__clang__)
#define BATCHMATE_INLINE inline __attribute__((always_inline))
#else
#define BATCHMATE_INLINE inline
#endif

/// The library's version, as major * 10000 + minor * 100 + patch.
#define BATCHMATE_VERSION 100
