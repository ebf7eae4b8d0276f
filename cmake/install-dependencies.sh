#!/usr/bin/env bash
# Installs what is missing to build batchmate, by apt (Debian 12, Ubuntu 24.04).
#
#   cmake/install-dependencies.sh run    what the example programs need
#   cmake/install-dependencies.sh test   that, and what the tests and the style checks need
#
# Does nothing, and needs no root, where everything is there.
set -euo pipefail

required=(g++ cmake ninja-build libcli11-dev nlohmann-json3-dev)
optional=(libdnnl-dev)
case "${1:-}" in
  run) ;;
  test)
    required+=(doctest-dev libbenchmark-dev python3)
    # Without these, some tests and checks are skipped, and say so.
    optional+=(clang-14 clang-format-14 libclang-rt-14-dev openmpi-bin)
    python3 -c 'import numpy, torch' 2>/dev/null || optional+=(python3-numpy python3-torch)
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

missing_of() {
  local package
  for package in "$@"; do is_installed "$package" || echo "$package"; done
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "install-dependencies: no apt here; going on with what is there. Debian's names of what is needed:" \
       "${required[*]}; of use: ${optional[*]}" >&2
  exit 0
fi
mapfile -t missing < <(missing_of "${required[@]}")
mapfile -t wanted < <(missing_of "${optional[@]}")
if ((${#missing[@]} + ${#wanted[@]} == 0)); then
  echo "install-dependencies: everything is there"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    ((${#missing[@]} == 0)) && exit 0
    echo "install-dependencies: neither root nor sudo; ask for: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

apt_install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends "$@"
}

echo "install-dependencies: installing ${missing[*]} ${wanted[*]}"
"${as_root[@]}" apt-get update --quiet
if ! apt_install "${missing[@]}" "${wanted[@]}"; then
  # One package that this system does not have must not keep the others out.
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
  for package in "${wanted[@]}"; do
    apt_install "$package" || echo "install-dependencies: going on without $package" >&2
  done
fi
