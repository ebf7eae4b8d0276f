#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests. Arguments go to ctest, say `-L search`.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-dependencies.sh test
cmake --preset host -DBATCHMATE_BUILD_TESTS=ON -DBATCHMATE_BUILD_EXAMPLES=ON -DBATCHMATE_BUILD_BENCHMARKS=ON
cmake --build --preset host
exec ctest --preset host --parallel "$(nproc)" "$@"
