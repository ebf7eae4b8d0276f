#pragma once

#include <batchmate/core/error.hpp>

#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <string>

/// The network on cuDNN and CUDA devices.
namespace batchmate::cuda {

/// A call of CUDA or cuDNN failed; `what()` says which, where in the source, and how.
struct error : evaluation_error {
  using evaluation_error::evaluation_error;
};

/// Throws `cuda::error`, naming the call, unless it succeeded.
inline void check(cudaError_t status, char const* call, char const* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (status != cudaSuccess) [[unlikely]]
    throw error(concat("cuda: ", call, " failed: ", cudaGetErrorString(status), " (",
                       cudaGetErrorName(status), ", ", file, ":", line, ")"));
}

/// What cuDNN itself has to say about the last failure on this thread; may be empty.
inline std::string last_cudnn_message() {
  char text[1024] = {};
  cudnnGetLastErrorString(text, sizeof text);
  text[sizeof text - 1] = 0;
  return text;
}

/// Throws `cuda::error`, naming the call, unless it succeeded.
inline void check(cudnnStatus_t status, char const* call, char const* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (status != CUDNN_STATUS_SUCCESS) [[unlikely]]
    throw error(concat("cudnn: ", call, " failed: ", cudnnGetErrorString(status), " (", file, ":", line,
                       "): ", last_cudnn_message()));
}

/// `9.19.0`: the version of the cuDNN that is loaded, not of its headers.
inline std::string cudnn_version() {
  std::size_t const v = cudnnGetVersion();
  return concat(v / 10000, ".", v / 100 % 100, ".", v % 100);
}

}  // namespace batchmate::cuda
