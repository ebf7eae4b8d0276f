#!/usr/bin/env bash
# Compiles all CUDA code for sm_80 and sm_90, warnings as errors, and runs the tests that go with it; those that need a
# GPU are skipped without one. Skips itself where there is no nvcc. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."

nvcc="$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || true)"
if [ -z "$nvcc" ]; then
  echo "skipped: nvcc is missing, so no CUDA code is compiled"
  exit 0
fi
cmake --preset cuda -DCMAKE_CUDA_COMPILER="$nvcc" -DBATCHMATE_BUILD_TESTS=ON -DBATCHMATE_BUILD_EXAMPLES=ON \
  -DBATCHMATE_BUILD_BENCHMARKS=ON
cmake --build --preset cuda --target cuda_code
exec ctest --preset cuda -L '^cuda$' --parallel "$(nproc)" "$@"
