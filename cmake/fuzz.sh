#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes with libFuzzer, under the address and undefined-behaviour sanitizers.
#
#   cmake/fuzz.sh [SECONDS [NAME...]]    SECONDS, 60 unless told, for each tests/fuzz/NAME.cpp, or for each there is
#
# As many targets run at once as there are processors. Prints a line for each; exit status 1 if one found something,
# which is then in build/fuzz/findings. What was learnt stays in build/fuzz/corpus for the next time. Skips itself where
# clang or libFuzzer is missing, and a target of CUDA's readers where the headers of CUDA or cuDNN are.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
if ! [[ "$seconds" =~ ^[0-9]+$ ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
shift $(($# > 0))
names=("$@")
if ((${#names[@]} == 0)); then
  for source in tests/fuzz/*.cpp; do
    [ "$source" = tests/fuzz/replay.cpp ] || names+=("$(basename "$source" .cpp)")
  done
fi

clang="$(command -v clang++-14 || command -v clang++ || true)"
if [ -z "$clang" ]; then
  echo "skipped: clang++ is missing, so nothing is fuzzed"
  exit 0
fi
out=build/fuzz
mkdir -p "$out/findings"
sanitizers=-fsanitize=fuzzer,address,undefined
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, decltype(sizeof 0)) { return 0; }' |
    "$clang" -x c++ - "$sanitizers" -o "$out/probe" 2>/dev/null; then
  echo "skipped: libFuzzer (Debian's libclang-rt-14-dev) is missing, so nothing is fuzzed"
  exit 0
fi

compile=("$clang" -std=c++20 -O1 -g -ffp-contract=off -D_GLIBCXX_ASSERTIONS "$sanitizers" -fno-sanitize-recover=all
         -Iinclude -Itests -Iexamples)
for folder in "${CUDA_HOME:-/usr/local/cuda}/include" "${CUDNN_ROOT:-}/include"; do
  [ ! -d "$folder" ] || compile+=(-isystem "$folder")
done
has_cuda=true
printf '#include <cuda_fp16.h>\n#include <cudnn.h>\n' | "${compile[@]}" -x c++ -fsyntax-only - 2>/dev/null || has_cuda=false
command -v ccache >/dev/null && compile=(ccache "${compile[@]}")
built=()
for name in "${names[@]}"; do
  if ! "$has_cuda" && grep -q '#include <batchmate/cuda/' "tests/fuzz/$name.cpp"; then
    printf '%-14s skipped: the headers of CUDA or cuDNN are missing\n' "$name"
    continue
  fi
  "${compile[@]}" -c "tests/fuzz/$name.cpp" -o "$out/$name.o"
  "$clang" "$sanitizers" "$out/$name.o" -o "$out/$name"
  built+=("$name")
done

# No reader needs much memory for an input of a few thousand bytes: one that believes a length it was told would ask
# for more at once than malloc_limit_mb, or hold more than rss_limit_mb, of which the sanitizer takes its share.
limits=(-max_len=4096 -malloc_limit_mb=16 -rss_limit_mb=1024 -timeout=20)
export ASAN_OPTIONS="quarantine_size_mb=32:allocator_may_return_null=0:${ASAN_OPTIONS:-}"

# Fuzzes one target and prints what came of it; fails where it found something.
fuzz() {
  local name="$1" log="$out/$1.log" result="nothing found" words=() runs edges
  mkdir -p "$out/corpus/$name"
  [ ! -e "tests/fuzz/$name.dict" ] || words=(-dict="tests/fuzz/$name.dict")
  "$out/$name" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$out/findings/$name-" \
    "${limits[@]}" "${words[@]}" "$out/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 || result="FOUND SOMETHING"
  runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  edges="$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
  printf '%-14s %6s s %12s runs %6s edges   %s\n' "$name" "$seconds" "${runs:-?}" "${edges:-?}" "$result"
  [ "$result" != "nothing found" ] || return 0
  grep -E 'ERROR|runtime error|fuzz: |Test unit written|terminate|what\(\)|^ +#[0-9] .*(batchmate|tests/fuzz)' "$log" |
    head -n 20 || tail -n 20 "$log"
  return 1
}

# They all take the same time, so each worker has its share of them from the start.
workers="$(nproc)"
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; exit 130' INT TERM
for ((worker = 0; worker < workers; ++worker)); do
  (
    status=0
    for ((i = worker; i < ${#built[@]}; i += workers)); do fuzz "${built[i]}" || status=1; done
    exit "$status"
  ) &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
exit "$status"
