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

lacks() { # SENTENCE: what is missing for the steps that were asked for
  echo "gpu.sh: $1; on Debian or Ubuntu 'bash cmake/install-dependencies.sh test' installs all but CUDA and cuDNN"
  exit 1
}

build() {
  local nvcc cmake_version cudnn=
  cmake_version="$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p')"
  printf '3.23\n%s\n' "${cmake_version:-0}" | sort -VC || lacks "needs CMake 3.23 or newer, found ${cmake_version:-none}"
  command -v ninja >/dev/null || lacks "ninja is missing"
  nvcc="$(readlink -f "$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)")"
  # A CUDA that the driver is too old for would build, and run nothing.
  printf '#include <cstdio>\nint main() { int n; auto s = cudaGetDeviceCount(&n); puts(cudaGetErrorString(s)); return s; }' \
    >"$out/driver.cu"
  try driver 60 "$nvcc" -run -o "$out/driver" "$out/driver.cu" || exit 1
  # PyTorch comes with a cuDNN of its own, which serves where the system has none.
  [ -e "${nvcc%/bin/nvcc}/include/cudnn.h" ] || [ -e /usr/include/cudnn.h ] ||
    cudnn="$(python3 -c 'import nvidia.cudnn; print(*nvidia.cudnn.__path__)' 2>/dev/null)"
  # shellcheck disable=SC2086
  try configure 120 cmake --preset cuda -DCMAKE_CUDA_COMPILER="$nvcc" -DBATCHMATE_BUILD_TESTS=ON \
    -DBATCHMATE_BUILD_EXAMPLES=ON -DBATCHMATE_BUILD_BENCHMARKS=ON ${cudnn:+-DCUDNN_ROOT="$cudnn"} \
    -DBATCHMATE_WARNINGS_AS_ERRORS=OFF ${CMAKE_ARGS:-} || exit 1
  if grep -A 2 'left out' "$out/configure.log"; then lacks "that is needed here"; fi
  try build 900 cmake --build --preset cuda --parallel "$(nproc)" --target cuda_code selfplay tune || exit 1
}

tests() {
  try tests 590 ctest --preset cuda -L '^gpu$' --output-on-failure
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
  # A plan that lets a row depend on its batch would give other games when batches are cut otherwise.
  local rows hashes=()
  for rows in 57 1199; do
    try "tuned-$rows" 120 build/cuda/examples/selfplay --game hex13 --network random:10x128:1 --plan "$out/hex13.plan" \
      --simulations 8 --episodes 1536 --batching lockstep --games 1536 --max-batch "$rows" || return
    hashes+=("$(sed -n "s/^games' hash *//p" "$out/tuned-$rows.log")")
  done
  if [ -n "${hashes[0]}" ] && [ "${hashes[0]}" = "${hashes[1]}" ]; then
    echo "   the same games at 57 and 1,199 rows a batch"
  else
    failed=1
    echo "   FAILED: games at 57 and 1,199 rows a batch differ: with this plan a row depends on its batch"
  fi
  measure tuned 200 --benchmark_filter=reference_job "--plan=$out/hex13.plan"
}

pytorch() {
  try pytorch 200 benchmarks/pytorch_tower.py --no-compile
  local before=$failed # a comparison that is not ready in time is no failure of what is compared
  try pytorch-compiled 590 benchmarks/pytorch_tower.py --rows 1199 || failed=$before
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
    try "memcheck-$test" 200 "$sanitizer" --tool memcheck --report-api-errors no --error-exitcode 3 \
      "build/cuda/tests/cuda/$test"
    try "racecheck-$test" 120 "$sanitizer" --tool racecheck --report-api-errors no --error-exitcode 3 \
      --kernel-regex kns=batchmate "build/cuda/tests/cuda/$test"
  done
}

for step in "${steps[@]}"; do "$step" "$@"; done
exit $failed
