#!/bin/sh
# The README's program and those of examples/, as a stranger would use them: install the library into a prefix
# of its own, find it by pkg-config, compile the programs as they stand, run them, and compare what they print
# with what README.md and the chapters say.
. tests/scratch.sh
real=float
case $build in *64) real=double ;; esac
${MAKE:-make} -s install PREFIX="$work" BUILD="$build" REAL=$real >"$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }
flags=$(PKG_CONFIG_PATH=$work/lib/pkgconfig pkg-config --cflags --libs dale) || exit 1
awk '/^```cpp$/ {on=1; next} /^```$/ {on=0} on' README.md >"$work/README.cpp"
sed -n 's/^It prints `\(.*\)`\..*/\1/p' README.md >"$work/README.expected"
for program in examples/*.cpp; do
  cp "$program" "$work"
  awk -v mark="<!-- prints: $program -->" '$0 == mark {on = 1; next} on && /^```$/ {exit} on && !/^```/' \
    ./*/README.md >"$work/$(basename "$program" .cpp).expected"
done
cd "$work" || exit 1
for program in *.cpp; do
  name=${program%.cpp}
  # shellcheck disable=SC2086  # EXTRA: what the library was built with, such as a sanitizer
  ${CXX:-g++} -Wall -Wextra -o "$name" "$program" $EXTRA $flags && ./"$name" >"$name.printed" &&
    [ -s "$name.expected" ] && diff "$name.expected" "$name.printed" ||
    fail "$name does not print what it says (<), but (>)"
done
