#pragma once

#include <batchmate/cuda/check.hpp>

#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace batchmate::cuda {

/// Destroys what it is given by a function of CUDA or cuDNN; a failure then is of no use to anyone.
template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};
/// Owns a CUDA or cuDNN handle.
template <class Handle, auto Destroy>
using owned = std::unique_ptr<std::remove_pointer_t<Handle>, destroyer<Destroy>>;

/// Lets a stream finish, so that nothing it works on goes away before, and destroys it.
inline cudaError_t finish_and_destroy(cudaStream_t finished) {
  cudaStreamSynchronize(finished);
  return cudaStreamDestroy(finished);
}

/// Held while a stream is captured, and while memory or a cuDNN handle is made or freed, for which CUDA may wait for a whole
/// device: this has been seen to break captures of other threads, whatever their mode.
inline std::mutex one_capture;

/// Destroys a cuDNN handle, not during a capture.
inline cudnnStatus_t destroy_cudnn_handle(cudnnHandle_t handle) {
  std::lock_guard const no_capture(one_capture);
  return cudnnDestroy(handle);
}
/// Frees memory of a device, not during a capture.
inline cudaError_t free_device(void* memory) {
  std::lock_guard const no_capture(one_capture);
  return cudaFree(memory);
}

using stream = owned<cudaStream_t, finish_and_destroy>;                 ///< never the default stream
using event = owned<cudaEvent_t, cudaEventDestroy>;                     ///< a point in a stream
using graph = owned<cudaGraph_t, cudaGraphDestroy>;                     ///< captured work
using executable_graph = owned<cudaGraphExec_t, cudaGraphExecDestroy>;  ///< work to be launched at once
using cudnn_handle = owned<cudnnHandle_t, destroy_cudnn_handle>;        ///< one for every device
using device_bytes = owned<std::byte*, free_device>;                    ///< memory of a device

/// A stream of the current device that does not wait for the default stream.
inline stream make_stream() {
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return stream(made);
}
/// An event of the current device; threads that wait for it sleep.
inline event make_event(unsigned flags = cudaEventDisableTiming | cudaEventBlockingSync) {
  cudaEvent_t made = nullptr;
  check(cudaEventCreateWithFlags(&made, flags), "cudaEventCreateWithFlags");
  return event(made);
}
/// A cuDNN handle of the current device.
inline cudnn_handle make_cudnn_handle() {
  std::lock_guard const no_capture(one_capture);
  cudnnHandle_t made = nullptr;
  check(cudnnCreate(&made), "cudnnCreate");
  return cudnn_handle(made);
}

/// Memory of the current device, uninitialised and aligned to 256 bytes. Throws `cuda::error` with the size.
inline device_bytes allocate_device(std::size_t bytes) {
  void* made = nullptr;
  std::string const call = concat("cudaMalloc of ", bytes, " bytes");
  std::lock_guard const no_capture(one_capture);
  check(cudaMalloc(&made, bytes > 0 ? bytes : 1), call.c_str());
  return device_bytes(static_cast<std::byte*>(made));
}
/// Frees memory that `allocate_pinned` gave, not during a capture.
inline void free_pinned(std::byte* memory) {
  std::lock_guard const no_capture(one_capture);
  cudaFreeHost(memory);
}
/// Host memory that every device can copy from and to while the host goes on.
inline std::shared_ptr<std::byte> allocate_pinned(std::size_t bytes) {
  void* made = nullptr;
  std::string const call = concat("cudaHostAlloc of ", bytes, " bytes");
  {
    std::lock_guard const no_capture(one_capture);
    check(cudaHostAlloc(&made, bytes > 0 ? bytes : 1, cudaHostAllocPortable), call.c_str());
  }
  return {static_cast<std::byte*>(made), free_pinned};
}

/// Does some work with another device as the thread's current one.
template <class Work>
decltype(auto) on_device(int device, Work&& work) {
  struct going_back {
    int device;
    ~going_back() { cudaSetDevice(device); }
  };
  int before = 0;
  check(cudaGetDevice(&before), "cudaGetDevice");
  if (before == device) return std::forward<Work>(work)();
  check(cudaSetDevice(device), "cudaSetDevice");
  going_back const afterwards{before};
  return std::forward<Work>(work)();
}

/// Captures what `work` puts on the stream, without letting it run, as a graph that can be launched. Other
/// threads may use CUDA meanwhile, but not wait for the whole device. `work` makes and frees nothing on the device.
template <class Work>
executable_graph capture(cudaStream_t on, Work&& work) {
  std::lock_guard const alone(one_capture);
  check(cudaStreamBeginCapture(on, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t captured = nullptr;
  try {
    std::forward<Work>(work)();
  } catch (...) {  // the stream must leave the capture, or it is of no use any more
    cudaStreamEndCapture(on, &captured);
    graph const dropped(captured);
    throw;
  }
  check(cudaStreamEndCapture(on, &captured), "cudaStreamEndCapture");
  graph const whole(captured);
  cudaGraphExec_t made = nullptr;
  check(cudaGraphInstantiate(&made, whole.get(), 0), "cudaGraphInstantiate");
  return executable_graph(made);
}

/// A CUDA device as far as evaluation cares.
struct device_info {
  int number;           ///< CUDA's
  std::string name;     ///< `NVIDIA H200`
  int capability;       ///< 90 for compute capability 9.0
  int multiprocessors;  ///< streaming multiprocessors
};

/// The devices of this machine that can run this program's kernels: none without a GPU or a driver, and that is no
/// error. `why_not`, if given, gets a sentence where there are none.
inline std::vector<device_info> devices(std::string* why_not = nullptr) {
  int count = 0;
  cudaError_t const status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();  // so that nobody else takes it for theirs
    if (why_not) *why_not = concat("no CUDA device: ", cudaGetErrorString(status));
    return {};
  }
  std::vector<device_info> found;
  for (int d = 0; d < count; ++d) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, d), "cudaGetDeviceProperties");
    int const capability = properties.major * 10 + properties.minor;
    if (capability >= 80) found.push_back({d, properties.name, capability, properties.multiProcessorCount});
  }
  if (found.empty() && why_not) *why_not = "no CUDA device of compute capability 8.0 or later";
  return found;
}

}  // namespace batchmate::cuda
