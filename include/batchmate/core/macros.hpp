#pragma once

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
