#include <batchmate/cuda/precision.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace bm = batchmate;
using namespace bm::cuda;

TEST_CASE("names of precisions are read back, others are refused") {
  for (auto const p : {precision::fp16, precision::bf16, precision::fp32})
    CHECK(parse_precision(name_of(p)) == p);
  CHECK_THROWS_WITH_AS(parse_precision("int8"),
                       "cudnn: expected a precision (fp16, bf16 or fp32), found int8", bm::contract_error);
}

TEST_CASE("numbers are rounded to the nearest, ties to even, on the host as on a device") {
  CHECK(widen(narrow<__half>(1 + 0x1p-11f)) == 1.0f);
  CHECK(widen(narrow<__half>(1 + 0x1.8p-11f)) == 1 + 0x1p-10f);
  CHECK(widen(narrow<__half>(1 + 0x1.8p-10f)) == 1 + 0x1p-9f);
  CHECK(std::isinf(widen(narrow<__half>(70000.0f))));
  CHECK(widen(narrow<__nv_bfloat16>(1 + 0x1p-8f)) == 1.0f);
  CHECK(widen(narrow<__nv_bfloat16>(1 + 0x1.8p-8f)) == 1 + 0x1p-7f);
  CHECK(widen(narrow<__nv_bfloat16>(70000.0f)) == doctest::Approx(70000.0f).epsilon(0.01));
  CHECK(widen(narrow<float>(0.1f)) == 0.1f);
  CHECK(std::isnan(widen(narrow<__half>(std::nanf("")))));
}

TEST_CASE("a precision knows its type, its size and cuDNN's name for it") {
  for (auto const p : {precision::fp16, precision::bf16, precision::fp32})
    with_element(p, [&]<class Element>(Element) { CHECK(sizeof(Element) == element_bytes(p)); });
  CHECK(with_element(precision::bf16,
                     []<class Element>(Element) { return std::is_same_v<Element, __nv_bfloat16>; }));
  CHECK(data_type(precision::fp16) == CUDNN_DATA_HALF);
  CHECK(data_type(precision::bf16) == CUDNN_DATA_BFLOAT16);
  CHECK(data_type(precision::fp32) == CUDNN_DATA_FLOAT);
}
