#!/usr/bin/env bash
# Installs what is missing, builds, and plays Connect Four against itself with the shipped network.
# Arguments go to the program in place of the ones here; `cmake/quickstart.sh --help` lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake/install-dependencies.sh run
cmake --preset host -DBATCHMATE_BUILD_TESTS=OFF -DBATCHMATE_BUILD_BENCHMARKS=OFF
cmake --build --preset host --target selfplay

if (($# == 0)); then
  set -- --game connect4 --network shipped --search puct --simulations 100 --episodes 200 --out out/quickstart \
    --overwrite
fi
echo "+ build/host/examples/selfplay $*"
exec build/host/examples/selfplay "$@"
