#include "gemm.hpp"

#include <batchmate/cuda/tuning.hpp>

#include <cublas_v2.h>

#include <algorithm>
#include <vector>

namespace batchmate::benchmarks {
namespace {

using cublas_handle = cuda::owned<cublasHandle_t, cublasDestroy_v2>;

void check_cublas(cublasStatus_t status, char const* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw cuda::error(concat("cublas: ", call, " failed: ", cublasGetStatusString(status)));
}

double measure() {
  constexpr int n = 8192, launches = 20, warm_up = 15, repeats = 61;
  auto const a = [&](cudaStream_t on) {
    return cuda::random_numbers(std::size_t{n} * n, cuda::precision::fp16, on);
  };
  auto const loading = cuda::make_stream();
  auto const x = a(loading.get()), y = a(loading.get()), z = a(loading.get());
  auto const on = cuda::make_stream();
  cublasHandle_t made = nullptr;
  check_cublas(cublasCreate(&made), "cublasCreate");
  cublas_handle const handle(made);
  check_cublas(cublasSetStream(handle.get(), on.get()), "cublasSetStream");
  auto const from = cuda::make_event(cudaEventDefault), to = cuda::make_event(cudaEventDefault);
  float const one = 1, none = 0;
  std::vector<double> rates;
  for (int repeat = -warm_up; repeat < repeats; ++repeat) {
    cuda::check(cudaEventRecord(from.get(), on.get()), "cudaEventRecord");
    for (int i = 0; i < launches; ++i)
      check_cublas(
          cublasGemmEx(handle.get(), CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, x.get(), CUDA_R_16F, n, y.get(),
                       CUDA_R_16F, n, &none, z.get(), CUDA_R_16F, n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx");
    cuda::check(cudaEventRecord(to.get(), on.get()), "cudaEventRecord");
    cuda::check(cudaEventSynchronize(to.get()), "cudaEventSynchronize");
    float milliseconds = 0;
    cuda::check(cudaEventElapsedTime(&milliseconds, from.get(), to.get()), "cudaEventElapsedTime");
    if (repeat >= 0)
      rates.push_back(2e-12 * n * n * n * launches / (1e-3 * static_cast<double>(milliseconds)));
  }
  std::nth_element(rates.begin(), rates.begin() + repeats / 2, rates.end());
  return rates[repeats / 2];
}

}  // namespace

double gemm_teraflops() {
  return cuda::on_device(cuda::devices().at(0).number, [] { return measure(); });
}

}  // namespace batchmate::benchmarks
