#!/bin/sh
# The README's program, as a stranger would use it: install the library into a prefix of its own, find it by
# pkg-config, compile the program as it stands in the README, run it, and compare what it prints with what the
# README says.
build=$1
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
real=float
case $build in *64) real=double ;; esac
fail() { echo "$1"; exit 1; }
${MAKE:-make} -s install PREFIX="$prefix" BUILD="$build" REAL=$real >"$prefix/log" 2>&1 ||
  fail "$(cat "$prefix/log")"
awk '/^```cpp$/ {on=1; next} /^```$/ {on=0} on' README.md >"$prefix/program.cpp"
[ -s "$prefix/program.cpp" ] || fail 'README.md has no program'
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs dale) || exit 1
cd "$prefix" || exit 1
# shellcheck disable=SC2086  # EXTRA: what the library was built with, such as a sanitizer
${CXX:-g++} -Wall -Wextra -o program program.cpp $EXTRA $flags || exit 1
./program >printed || exit 1
cd - >/dev/null || exit 1
expected=$(sed -n 's/^It prints `\(.*\)`\..*/\1/p' README.md)
printed=$(cat "$prefix/printed")
[ "$printed" = "$expected" ] || fail "the README's program printed: $printed, expected: $expected"
