#include <batchmate/cuda/check.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace bm = batchmate;

TEST_CASE("a failed call of CUDA is an error that names the call, the cause and the place") {
  CHECK_NOTHROW(bm::cuda::check(cudaSuccess, "cudaMalloc"));
  int const line = __LINE__ + 2;
  try {
    bm::cuda::check(cudaErrorMemoryAllocation, "cudaMalloc of 7 bytes");
    FAIL("nothing was thrown");
  } catch (bm::evaluation_error const& e) {
    std::string const text = e.what();
    CHECK(text.find("cudaMalloc of 7 bytes failed: out of memory (cudaErrorMemoryAllocation") !=
          std::string::npos);
    CHECK(text.find("tests/cuda/check.cpp:" + std::to_string(line)) != std::string::npos);
  }
}

TEST_CASE("a failed call of cuDNN is an error that names the call, the cause and the place") {
  CHECK_NOTHROW(bm::cuda::check(CUDNN_STATUS_SUCCESS, "cudnnCreate"));
  int const line = __LINE__ + 2;
  try {
    bm::cuda::check(CUDNN_STATUS_BAD_PARAM, "cudnnBackendFinalize");
    FAIL("nothing was thrown");
  } catch (bm::cuda::error const& e) {
    std::string const text = e.what();
    CHECK(text.find("cudnnBackendFinalize failed: CUDNN_STATUS_BAD_PARAM") != std::string::npos);
    CHECK(text.find("tests/cuda/check.cpp:" + std::to_string(line)) != std::string::npos);
  }
}

TEST_CASE("the version is that of the library that is loaded") {
  std::string const text = bm::cuda::cudnn_version();
  CHECK(text.starts_with(std::to_string(CUDNN_MAJOR) + "."));
  CHECK(std::count(text.begin(), text.end(), '.') == 2);
}
