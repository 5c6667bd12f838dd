# Sourced by the tests that run a build's program: the program, a folder of the test's own that goes with it,
# and failures, which are shown with what the program said last, and are the test's exit status.
build=$1
dale=$(realpath "$build/dale")
work=$(mktemp -d)
failures=0
tidy() { rm -rf "$work"; [ $failures -eq 0 ] || exit 1; }
trap tidy EXIT
fail() {
  echo "$(basename "$0" .sh): $1"
  [ ! -s "$work/err" ] || cat "$work/err"
  failures=$((failures + 1))
}
same() { cmp "$work/$1" "$work/$2" || fail "$1 and $2 differ"; }
# A run's metrics.csv without its last column, which is a time.
figures() { cut -d, -f1-4 "$work/$1/metrics.csv"; }
says() { grep -qF -- "$1" "$work/err" || fail "expected '$1' in what it says:"; }
# An error is one sentence, of one process.
launch=
expect() {  # status, fragment of stderr, arguments…
  status=$1 fragment=$2
  shift 2
  timeout 300 $launch "$dale" "$@" >"$work/out" 2>"$work/err"
  got=$?
  [ $got -eq "$status" ] && { [ $got -eq 0 ] || [ "$(grep -c '^dale: ' "$work/err")" = 1 ]; } &&
    { [ -z "$fragment" ] || grep -qF -- "$fragment" "$work/err"; } ||
    fail "dale $*: status $got (expected $status), expected '$fragment' in:"
}
does() { expect 0 '' "$@"; }
under() {  # what starts the program, such as mpirun; and as for expect
  launch=$1
  shift
  expect "$@"
  launch=
}
