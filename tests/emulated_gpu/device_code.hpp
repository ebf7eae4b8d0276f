#pragma once

/// Lets the host's compiler take device code as it stands: kernels become functions, each called once for every
/// thread of a grid. Included before a .cu source, by the compiler's -include.

#include <cuda_runtime.h>

#include <atomic>
#include <cstdint>

namespace emulated_gpu {

/// Where a thread is in its grid.
struct place {
  uint3 thread{}, block{};
  dim3 block_size{};
};

std::uint64_t clock();                    ///< nanoseconds, the same for all devices
place const& here();                      ///< of the thread that asks
void sync_block();                        ///< __syncthreads
float of_lane_xor(float mine, int mask);  ///< __shfl_xor_sync of a whole warp
bool all_of_warp(bool mine);              ///< __all_sync of a whole warp

}  // namespace emulated_gpu

#undef __shared__
#define __shared__ static thread_local  // a block runs on one thread of the host
#define threadIdx (emulated_gpu::here().thread)
#define blockIdx (emulated_gpu::here().block)
#define blockDim (emulated_gpu::here().block_size)

inline void __syncthreads() { emulated_gpu::sync_block(); }
inline float __shfl_xor_sync(unsigned, float x, int mask) { return emulated_gpu::of_lane_xor(x, mask); }
inline bool __all_sync(unsigned, bool x) { return emulated_gpu::all_of_warp(x); }
inline unsigned long long atomicMin(unsigned long long* at, unsigned long long x) {
  std::atomic_ref shared(*at);
  unsigned long long found = shared.load(std::memory_order_relaxed);
  while (x < found && !shared.compare_exchange_weak(found, x, std::memory_order_relaxed)) {
  }
  return found;
}
constexpr int min(int a, int b) { return b < a ? b : a; }
