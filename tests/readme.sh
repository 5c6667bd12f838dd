#!/bin/sh
# The README's program and those of examples/, as a stranger would use them: install the library into a prefix
# of its own, find it by pkg-config, compile the programs as they stand, run them, and compare what they print
# with what README.md and the chapters say.
build=$1
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
real=float
case $build in *64) real=double ;; esac
${MAKE:-make} -s install PREFIX="$prefix" BUILD="$build" REAL=$real >"$prefix/log" 2>&1 ||
  { cat "$prefix/log"; exit 1; }
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs dale) || exit 1
awk '/^```cpp$/ {on=1; next} /^```$/ {on=0} on' README.md >"$prefix/README.cpp"
sed -n 's/^It prints `\(.*\)`\..*/\1/p' README.md >"$prefix/README.expected"
for program in examples/*.cpp; do
  cp "$program" "$prefix"
  awk -v mark="<!-- prints: $program -->" '$0 == mark {on = 1; next} on && /^```$/ {exit} on && !/^```/' \
    ./*/README.md >"$prefix/$(basename "$program" .cpp).expected"
done
cd "$prefix" || exit 1
status=0
for program in *.cpp; do
  name=${program%.cpp}
  # shellcheck disable=SC2086  # EXTRA: what the library was built with, such as a sanitizer
  ${CXX:-g++} -Wall -Wextra -o "$name" "$program" $EXTRA $flags && ./"$name" >"$name.printed" &&
    [ -s "$name.expected" ] && diff "$name.expected" "$name.printed" ||
    { echo "$name does not print what it says (<), but (>)"; status=1; }
done
exit $status
