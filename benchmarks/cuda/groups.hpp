#pragma once

#include "../measure.hpp"

#include <string>

namespace batchmate::benchmarks {

/// What all GPU benchmarks know of the machine and of the time they may take.
struct gpu_run {
  double seconds = 6;           ///< of every measurement
  double steady_seconds = 120;  ///< of the reference job, from which 500,000 games are extrapolated
  int threads = 1;              ///< of self-play
  double gemm_teraflops = 0;    ///< measured on the first device
  std::string plan;             ///< file of a tuned plan for the reference job's tower, or empty
};

void add_device_alone(gpu_run const&);   ///< `device/`: the evaluator alone, per tower and batch size
void add_device_ladder(gpu_run const&);  ///< `device_ladder/`: the reference job under every batching policy
void add_device_sweep(gpu_run const&);   ///< `device_sweep/`: the reference job at given batch sizes
void add_reference_job(gpu_run const&);  ///< `reference_job/`: a long run, beside the evaluator alone

}  // namespace batchmate::benchmarks
