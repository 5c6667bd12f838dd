# Sourced by the tests that run a build's program: the program, a folder of the test's own that goes with it,
# and failures, which are counted, and shown with what the program said last. A test ends with
# [ $failures -eq 0 ].
build=$1
dale=$(realpath "$build/dale")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
  echo "$(basename "$0" .sh): $1"
  [ ! -s "$work/err" ] || cat "$work/err"
  failures=$((failures + 1))
}
says() { grep -qF -- "$1" "$work/err" || fail "expected '$1' in what it says:"; }
expect() {  # status, fragment of stderr, arguments…
  status=$1 fragment=$2
  shift 2
  timeout 300 "$dale" "$@" >"$work/out" 2>"$work/err"
  got=$?
  [ $got -eq "$status" ] && { [ -z "$fragment" ] || grep -qF -- "$fragment" "$work/err"; } ||
    fail "dale $*: status $got (expected $status), expected '$fragment' in:"
}
