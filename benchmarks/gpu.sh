#!/usr/bin/env bash
# All that needs a GPU, in steps: benchmarks/gpu.sh [STEP...] [-- FLAGS...]
#
#   build       configures and builds; CMAKE_ARGS is passed to cmake, say CMAKE_ARGS=-DCUDNN_ROOT=/opt/cudnn
#   tests       ctest -L '^gpu$'
#   benchmarks  the evaluator alone, the ladder, the sweeps and the reference job; FLAGS go there, say --steady_seconds=20
#   tune        the fastest plan for the reference job's tower, and that job with it
#   pytorch     the same tower in PyTorch
#   sanitizers  compute-sanitizer's memcheck and racecheck on small tests
#
# Without STEP all of them in this order, some 30 minutes. What a step has to say is printed when it ends; the full output
# goes to OUT, or else to build/cuda/gpu.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
out="${OUT:-build/cuda/gpu}"
mkdir -p "$out"
failed=0

steps=()
while (($# > 0)) && [ "$1" != -- ]; do
  case $1 in
    build | tests | benchmarks | tune | pytorch | sanitizers) steps+=("$1") ;;
    *) echo "gpu.sh: no step is called '$1'; there are build, tests, benchmarks, tune, pytorch, sanitizers" && exit 2 ;;
  esac
  shift
done
shift $(($# > 0 ? 1 : 0))
((${#steps[@]} > 0)) || steps=(build tests benchmarks tune pytorch sanitizers)

if ! nvidia-smi -L 2>/dev/null; then
  echo "gpu.sh: there is no GPU here, or no driver"
  exit 1
fi

try() { # NAME SECONDS COMMAND...: runs it for so long at most with its output kept, and says how it went
  local name="$1" seconds="$2" status
  shift 2
  printf '== %s: %s\n' "$name" "$*"
  timeout -k 10 "$seconds" "$@" >"$out/$name.log" 2>&1
  status=$?
  case $status in
    0) echo "   ok" ;;
    77) grep -h '^skipped' "$out/$name.log" || echo "   skipped" ;;
    *)
      failed=1
      echo "   FAILED with status $status; the end of $out/$name.log:"
      tail -n 30 "$out/$name.log"
      ;;
  esac
  return $status
}

build() {
  local nvcc
  nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
  # shellcheck disable=SC2086
  try configure 120 cmake --preset cuda -DCMAKE_CUDA_COMPILER="$nvcc" -DBATCHMATE_BUILD_TESTS=ON \
    -DBATCHMATE_BUILD_EXAMPLES=ON -DBATCHMATE_BUILD_BENCHMARKS=ON \
    -DBATCHMATE_WARNINGS_AS_ERRORS=OFF ${CMAKE_ARGS:-} || exit 1
  try build 900 cmake --build --preset cuda --parallel "$(nproc)" || exit 1
}

tests() {
  try tests 600 ctest --preset cuda -L '^gpu$' --output-on-failure --timeout 300
  grep -E 'Passed|Failed|Timeout|Skipped|tests passed' "$out/tests.log" | sed 's/^/   /'
  if grep -q 'Skipped)' "$out/tests.log"; then
    failed=1
    echo "   FAILED: there is a GPU, and tests were skipped"
  fi
}

measure() { # NAME SECONDS FLAGS...: the GPU benchmarks, and their table
  local name="$1" seconds="$2"
  shift 2
  try "$name" "$seconds" build/cuda/benchmarks/benchmarks_cuda "$@"
  (($? == 77)) && failed=1 # there is a GPU, so nothing may be skipped
  sed -n '/^benchmark  /,$p' "$out/$name.log"
}

benchmarks() { measure benchmarks 590 "$@"; }

tune() {
  try tune 300 build/cuda/examples/tune --game hex13 --network random:10x128:1 --out "$out/hex13.plan" || return
  cat "$out/hex13.plan"
  measure tuned 200 --benchmark_filter=reference_job "--plan=$out/hex13.plan"
}

pytorch() {
  try pytorch 200 benchmarks/pytorch_tower.py --no-compile
  try pytorch-compiled 400 benchmarks/pytorch_tower.py --rows 1199
  echo "PyTorch, boards a second:"
  cat "$out/pytorch.log" "$out/pytorch-compiled.log"
}

sanitizers() {
  local sanitizer test
  sanitizer="$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)"
  if [ -z "$sanitizer" ]; then
    echo "== sanitizers: skipped: compute-sanitizer is missing"
    return
  fi
  # cuDNN asks drivers for functions that older ones do not have, and its own kernels are not ours to check for races.
  for test in kernels resident_network lane; do
    try "memcheck-$test" 120 "$sanitizer" --tool memcheck --report-api-errors no --error-exitcode 3 \
      "build/cuda/tests/cuda/$test"
    try "racecheck-$test" 120 "$sanitizer" --tool racecheck --report-api-errors no --error-exitcode 3 \
      --kernel-regex kns=batchmate "build/cuda/tests/cuda/$test"
  done
}

for step in "${steps[@]}"; do "$step" "$@"; done
exit $failed
