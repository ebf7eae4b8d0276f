#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace emulated_gpu {

/// Calls `thread` once for every thread of a grid, one block, of one dimension, after the other. Threads of a block take turns: one runs
/// until it waits for others at a barrier or an exchange, so that whoever forgets the barrier finds old numbers.
/// Ends the program if they cannot all go on, as where lanes of a warp do not meet at the same exchange.
void run_grid(dim3 grid, dim3 block, std::function<void()> const& thread);

}  // namespace emulated_gpu
