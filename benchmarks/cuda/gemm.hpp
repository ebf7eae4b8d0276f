#pragma once

namespace batchmate::benchmarks {

/// TFLOP/s of a large fp16 matrix product with fp32 sums (cuBLAS, 8192 cubed, random numbers) on the first device: what
/// the shares of the other figures are of. Takes some three seconds, since a device slows down when it is warm. Throws
/// `batchmate::cuda::error`.
double gemm_teraflops();

}  // namespace batchmate::benchmarks
