#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes with libFuzzer, under the address and undefined-behaviour sanitizers.
#
#   cmake/fuzz.sh [SECONDS [NAME...]]    SECONDS in all, 60 unless told, shared by tests/fuzz/NAME.cpp, or by all of them
#
# Prints a line for each target; exit status 1 if one found something, which is then in build/fuzz/findings. What was
# learnt stays in build/fuzz/corpus for the next time. Skips itself where clang or libFuzzer is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
if ! [[ "$seconds" =~ ^[0-9]+$ ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
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
command -v ccache >/dev/null && compile=(ccache "${compile[@]}")
for name in "${names[@]}"; do
  "${compile[@]}" -c "tests/fuzz/$name.cpp" -o "$out/$name.o"
  "$clang" "$sanitizers" "$out/$name.o" -o "$out/$name"
done

# No reader needs much memory for an input of a few thousand bytes: one that believes a length it was told would ask
# for more at once than malloc_limit_mb, or hold more than rss_limit_mb, of which the sanitizer takes its share.
limits=(-max_len=4096 -malloc_limit_mb=16 -rss_limit_mb=1024 -timeout=20)
export ASAN_OPTIONS="quarantine_size_mb=32:allocator_may_return_null=0:${ASAN_OPTIONS:-}"
each=$(((seconds + ${#names[@]} - 1) / ${#names[@]}))
status=0
for name in "${names[@]}"; do
  mkdir -p "$out/corpus/$name"
  words=()
  [ ! -e "tests/fuzz/$name.dict" ] || words=(-dict="tests/fuzz/$name.dict")
  log="$out/$name.log"
  result="nothing found"
  if ! "$out/$name" -max_total_time="$each" -print_final_stats=1 -artifact_prefix="$out/findings/$name-" \
      "${limits[@]}" "${words[@]}" "$out/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    result="FOUND SOMETHING"
    status=1
  fi
  runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  edges="$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
  printf '%-14s %6s s %12s runs %6s edges   %s\n' "$name" "$each" "${runs:-?}" "${edges:-?}" "$result"
  if [ "$result" != "nothing found" ]; then
    grep -E 'ERROR|runtime error|fuzz: |Test unit written|terminate|what\(\)|^ +#[0-9] .*(batchmate|tests/fuzz)' "$log" |
      head -n 20 || tail -n 20 "$log"
  fi
done
exit "$status"
