#!/usr/bin/env bash
# All that needs a GPU, in one call: builds, tests, looks for memory errors and races, measures, and prints tables last.
# Set OUT to a folder to keep the full output; arguments go to the GPU benchmarks, say --steady_seconds=20.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
out="${OUT:-build/cuda/gpu}"
mkdir -p "$out"
failed=0

step() { # NAME COMMAND...: runs it with its output kept, and says how it went
  local name="$1" status
  shift
  printf '== %s: %s\n' "$name" "$*"
  "$@" >"$out/$name.log" 2>&1
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

step configure cmake --preset cuda -DBATCHMATE_BUILD_TESTS=ON -DBATCHMATE_BUILD_EXAMPLES=ON -DBATCHMATE_BUILD_BENCHMARKS=ON || exit 1
step build cmake --build --preset cuda --parallel "$(nproc)" || exit 1
step tests ctest --preset cuda -L '^gpu$' --output-on-failure
grep -E 'Passed|Failed|Skipped|tests passed' "$out/tests.log" | sed 's/^/   /'

sanitizer="$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)"
for tool in memcheck racecheck; do
  if [ -z "$sanitizer" ]; then
    echo "== $tool: skipped: compute-sanitizer is missing"
    continue
  fi
  for test in kernels resident_network lane; do
    step "$tool-$test" "$sanitizer" --tool "$tool" --error-exitcode 3 "build/cuda/tests/cuda/$test"
  done
done

step tune build/cuda/examples/tune --game hex13 --network random:10x128:1 --out "$out/hex13.plan"
step pytorch benchmarks/pytorch_tower.py --no-compile
step pytorch-compiled benchmarks/pytorch_tower.py --rows 1199
step benchmarks build/cuda/benchmarks/benchmarks_cuda "$@"

printf '\nPyTorch, boards a second:\n'
cat "$out/pytorch.log" "$out/pytorch-compiled.log"
printf '\nThe cudnn evaluator:\n'
sed -n '/^benchmark  /,$p' "$out/benchmarks.log"
[ -s "$out/hex13.plan" ] && printf '\nThe fastest plan found:\n' && cat "$out/hex13.plan"
exit $failed
