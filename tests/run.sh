#!/bin/sh
# Runs every test of a build (run.sh build) and ends with what was left out and a line "N passed, N failed",
# which counts Catch2's test cases and each script here as one.
cd "$(dirname "$0")/.." || exit 1
build=$1
log=$build/tests.log
passed=0 failed=0 skipped=
skip() { skipped="${skipped}skipped: $1\n"; }
here() { command -v "$1" >/dev/null; }
ends() { echo "$passed passed, $failed failed"; [ $failed -eq 0 ]; exit; }

script() {  # name, command…; of which status 77 is: not here
  name=$1
  shift
  "$@"
  case $? in
    0) passed=$((passed + 1)) ;;
    77) skip "$name (it needs network namespaces: apt-get install iproute2, and root)" ;;
    *) failed=$((failed + 1)); echo "FAILED: $name" ;;
  esac
}

# Where PyTorch is at hand it is asked what dale's models make of states that the tests leave in a folder.
torch=
for python in python3 /usr/bin/python3; do
  $python -c 'import torch' 2>/dev/null && torch=$python && break
done
export DALE_TORCH_CHECKS="$build/torch"
mkdir -p "$DALE_TORCH_CHECKS"

cases() {  # command…, a Catch2 program: shows what it says and adds its test cases up
  "$@" >"$log" 2>&1
  status=$?
  grep -vE '^=+$' "$log"
  counts=$(sed -nE 's/^test cases: *([0-9]+) \| *([0-9]+) passed( \| *([0-9]+) failed)?.*/\2 \4/p
                    s/.*\(.* in ([0-9]+) test cases?\)/\1 0/p' "$log" | tail -1)
  passed=$((passed + $(echo "${counts:-0 1}" | cut -d' ' -f1)))
  failed=$((failed + $(echo "${counts:-0 1} 0" | cut -d' ' -f2 | sed 's/^$/0/')))
  [ $status -eq 0 ] || [ $failed -gt 0 ] || failed=1
}
if [ -n "$TAGS" ]; then
  # shellcheck disable=SC2086  # RUNNER: the words before a program of another processor (tests/arm.sh)
  cases $RUNNER "$build/check-some" "$TAGS"
  echo "skipped: all but the test cases of $TAGS"
  ends
fi
case $build in
  *san*)
    cases "$build/check" '~[batch]~[sampler]'
    skip 'the statistics of samplers and batches (minutes under a sanitizer; make test runs them)' ;;
  *) cases "$build/check" ;;
esac
for model in gbm-fashion-mnist gbm-classes-fashion-mnist; do
  [ -z "$torch" ] || script "$model in PyTorch" "$torch" -B examples/torch_model.py \
    "experiments/pretrained/$model.safetensors" --check "$DALE_TORCH_CHECKS/$model.safetensors"
done
[ -n "$torch" ] || skip "dale's models in PyTorch (it is not here: apt-get install python3-torch)"
# The CUDA machine's code, compiled for the host: the third column of the table of ops.
[ ! -x "$build/check-emulated" ] || cases "$build/check-emulated" '[machines]'

info=$("$build/dale" info)
said() { echo "$info" | grep -q "$1"; }
# The kernels of the lower levels of vector instructions that this processor has, on the tests that compare
# kernels.
for level in $(echo "$info" | sed -n 's/^kernels *\([^ ]*\) of \1//p'); do
  script "kernels of level $level" env DALE_LEVEL="$level" "$build/check" \
    '[ops],[conv],[torch],[threads],[digest]'
done
script "matmul by OpenBLAS" env DALE_PRODUCTS=openblas "$build/check" '[ops],[torch]'
script layers tests/layers.sh
script 'lines, layout and version' tests/lines.sh
script 'command line' tests/cli.sh "$build"
script 'a hostile place' tests/hostile.sh "$build"
script 'random options' tests/options.sh "$build"
case $build in
  *64* | *san*) skip 'kill -9, the comparison and its report (make test runs them)' ;;
  *)
    script 'kill -9' tests/kill.sh "$build"
    script 'comparison and report' tests/report.sh "$build" ;;
esac
if said '^ranks *none'; then skip 'many ranks (make test MPI=1 adds Open MPI)'
elif [ "${build#*san}" = "$build" ]; then
  script 'many ranks, the same bytes' tests/ranks.sh "$build"
  script 'ranks on two hosts, and the wire cut' tests/ranks_net.sh "$build"
fi
script 'the book' tests/book.sh "$build"
script 'own images, as the README walks' tests/walk.sh "$build"
script 'programs of README and examples, installed library' tests/readme.sh "$build"

[ "$DEVICE" != cuda ] ||
  script 'a CUDA device, as DEVICE=cuda asks' sh -c "! '$build/dale' info | grep '^cuda *none'"
! said '^cuda *none' ||
  skip "the CUDA machine on a device ($(echo "$info" | sed -n 's/^cuda *none: //p'))"
here clang-format-14 || skip 'that sources are laid out as .clang-format says (clang-format-14 is not here)'
here chromium || here chromium-browser || here google-chrome ||
  skip 'the report in a browser (Chromium is not here: apt-get install chromium)'
here pandoc || skip 'the book as a page (pandoc is not here: apt-get install pandoc)'
skip 'the page where one tries it (make test-page builds it by emscripten and opens it in Chromium)'
[ -x "$build/check-emulated" ] ||
  skip 'the CUDA machine emulated on the CPU (fibres and the sanitizers do not go together)'
[ "${build#*64}" != "$build" ] || skip 'gradient checks of the op table (make test64 runs them, in double)'
said '^products *own, the same bits' ||
  skip 'the digests of a model and its samples (kernels of this level have no fused multiply-adds)'
[ "${build#*asan}" = "$build" ] || skip 'that freed arrays are found again (under asan they are not kept)'
printf '%b' "$skipped"
ends
