#pragma once

#include <functional>

namespace emulated_gpu {

/// One thread's call of a kernel, with copies of its arguments; empty if nobody knows the kernel.
std::function<void()> bind(void const* kernel, void* const* arguments);

}  // namespace emulated_gpu
