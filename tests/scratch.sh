# Sourced by the tests that run a build's program: the program, a folder of the test's own that goes with it,
# and failures, which are counted. A test ends with [ $failures -eq 0 ].
build=$1
dale=$(realpath "$build/dale")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "$(basename "$0" .sh): $1"; failures=$((failures + 1)); }
