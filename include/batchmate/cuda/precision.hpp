#pragma once

#include <batchmate/core/error.hpp>
#include <batchmate/core/macros.hpp>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cudnn.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace batchmate::cuda {

/// In what weights and activations are held on the device; sums are fp32 in each.
enum class precision {
  fp16,  ///< tensor cores; the default
  bf16,  ///< tensor cores; a wider range, fewer digits
  fp32,  ///< no tensor cores: slow, to check the others against
};

/// `fp16`, `bf16` or `fp32`.
inline std::string name_of(precision p) {
  return p == precision::fp16 ? "fp16" : p == precision::bf16 ? "bf16" : "fp32";
}

/// The reverse of `name_of`; throws `contract_error` for any other text.
inline precision parse_precision(std::string_view text) {
  for (auto const p : {precision::fp16, precision::bf16, precision::fp32})
    if (text == name_of(p)) return p;
  throw contract_error(concat("cudnn: expected a precision (fp16, bf16 or fp32), found ", text));
}

/// Bytes of one number.
constexpr std::size_t element_bytes(precision p) { return p == precision::fp32 ? 4 : 2; }

/// cuDNN's name for it.
constexpr cudnnDataType_t data_type(precision p) {
  return p == precision::fp16   ? CUDNN_DATA_HALF
         : p == precision::bf16 ? CUDNN_DATA_BFLOAT16
                                : CUDNN_DATA_FLOAT;
}

/// Calls `use(Element{})` with the type of a precision's numbers.
template <class Use>
decltype(auto) with_element(precision p, Use&& use) {
  if (p == precision::fp16) return use(__half{});
  if (p == precision::bf16) return use(__nv_bfloat16{});
  return use(float{});
}

/// A number as fp32.
BATCHMATE_HD inline float widen(__half x) { return __half2float(x); }
BATCHMATE_HD inline float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
BATCHMATE_HD inline float widen(float x) { return x; }

/// An fp32 number rounded to the nearest of a type, ties to even.
template <class Element>
BATCHMATE_HD Element narrow(float x);
template <>
BATCHMATE_HD inline __half narrow<__half>(float x) {
  return __float2half_rn(x);
}
template <>
BATCHMATE_HD inline __nv_bfloat16 narrow<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
BATCHMATE_HD inline float narrow<float>(float x) {
  return x;
}

}  // namespace batchmate::cuda
