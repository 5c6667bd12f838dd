#!/bin/sh
# 64-bit Arm without having one: cross-compiles the tests of kernels and functions and of what a seed
# promises, and runs them under qemu's user emulation (make check-arm, which names the libraries' packages).
# Debian has all it takes. The arm64 libraries are unpacked in build-arm/sysroot; of the system's own packages
# only the compiler and qemu are installed, by make. Ends with "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
triple=aarch64-linux-gnu build=build-arm/objects
root=$PWD/build-arm/sysroot
fail() { echo "check-arm: $1" >&2; exit 1; }

# apt with lists, cache and status of its own, in which nothing is installed: it fetches the libraries and all
# that they need. libc6-dev stays out, because the compiler has its own.
if [ "$(cat "$root/packages" 2>/dev/null)" != "$*" ]; then
  rm -rf "$root" && mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial" && : >"$root/apt/status"
  fetch() {
    apt-get -qq -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$root/apt" \
      -o Dir::State::status="$root/apt/status" -o Dir::Cache="$root/apt" -o APT::Sandbox::User=root "$@"
  }
  { fetch update && fetch install --download-only --no-install-recommends "$@"; } >/dev/null ||
    fail 'apt-get failed'
  for deb in "$root"/apt/archives/*.deb; do
    case $deb in */libc6-dev_*) ;; *) dpkg -x "$deb" "$root" || fail "cannot unpack $deb" ;; esac
  done
  rm -r "$root/apt" && echo "$*" >"$root/packages"
fi

lib=usr/lib/$triple include=$root/usr/include/$triple
use="-idirafter $include -L$root/$lib -Wl,-rpath-link,$root/$lib:$root/lib/$triple"
tags='[ops],[conv],[threads],[random],[functions],[digest]'
${MAKE:-make} $build/check-some TAGS="$tags" BUILD=$build LEVELS=generic CUDA=0 \
  CXX=$triple-g++ AR=$triple-ar LD=$triple-ld OBJCOPY=$triple-objcopy EXTRA="$use" ||
  fail 'the build failed'

TAGS=$tags RUNNER="qemu-aarch64 -L $root" tests/run.sh $build
