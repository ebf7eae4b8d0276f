#pragma once

/// The library with `cudnn`, the evaluator for NVIDIA GPUs. To be compiled as CUDA, with the CMake target
/// `batchmate::cuda`.

#include <batchmate/batchmate.hpp>
#include <batchmate/cuda/evaluator.hpp>
#include <batchmate/cuda/tuning.hpp>
