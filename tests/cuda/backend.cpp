#include <batchmate/cuda/backend.hpp>

#include "described_device.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bm = batchmate;
using bm::cuda::descriptor;

namespace {

descriptor small_tensor() {
  std::int64_t const extents[] = {1, 8, 5, 5}, strides[] = {200, 1, 40, 8};
  descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_HALF)
      .set_all(CUDNN_ATTR_TENSOR_DIMENSIONS, extents, 4)
      .set_all(CUDNN_ATTR_TENSOR_STRIDES, strides, 4)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{7})
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  return tensor;
}

}  // namespace

TEST_CASE("an object of cuDNN keeps the attributes that it was given, and copies share it") {
  descriptor tensor = small_tensor();
  tensor.finalize();
  descriptor const copy = tensor;
  CHECK(copy.raw() == tensor.raw());
  CHECK(copy.value<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID) == 7);
  CHECK(copy.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_HALF);
  CHECK(copy.values<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, 8) == std::vector<std::int64_t>{1, 8, 5, 5});
}

TEST_CASE("what cuDNN does not take is an error, or an answer where one asks") {
  descriptor incomplete(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  CHECK_FALSE(incomplete.try_finalize());
  CHECK_THROWS_AS(incomplete.finalize(), bm::cuda::error);
  CHECK_THROWS_AS(incomplete.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, 1.0f), bm::cuda::error);
  CHECK_THROWS_AS(bm::cuda::plan_target("{not json"), bm::cuda::error);
}

TEST_CASE("a device can be described without being there") {
  auto const device = described_device("h200");
  CHECK(device.described());
  CHECK(device.handle() == nullptr);
  auto const text = device.device().values<char>(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, 4096);
  CHECK(std::string(text.begin(), text.end()).find("H200") != std::string::npos);
}
