#!/bin/sh
# Proof on a device, in two parts of under nine minutes each:  prove_cuda.sh PART OUT BUILD [UNCACHED]
# BUILD is finished (make all, check and benchmark of it); UNCACHED is a build in which no block of memory is
# used twice (EXTRA=-DDALE_UNCACHED), for the sanitizers. Nothing is installed or fetched. A step has its own
# time limit, its log OUT/STEP.log and its line in OUT/summary.txt; one that fails stops no other. Without a
# device the emulated machine does what it can, and every other step says what it needs.
part=$1 out=$2 build=$3 uncached=$4
cd "$(dirname "$0")/.." || exit 1
mkdir -p "$out"
summary=$out/summary.txt
failed=0
missing=$("$build/dale" info | sed -n 's/^cuda *none: /needs a device: /p')

line() { printf '%-28s%s\n' "$1" "$2" | tee -a "$summary"; }
# name, seconds, what it needs beside a device (a command; "" for none; "host" for no device), command…
step() {
  name=part-$part-$1 limit=$2 needs=$3
  shift 3
  if [ "$needs" = host ]; then needs=
  elif [ -n "$missing" ]; then line "$name" "$missing"; return
  fi
  if [ -n "$needs" ] && ! command -v "$needs" >/dev/null; then line "$name" "needs $needs"; return; fi
  begun=$(date +%s)
  timeout "$limit" "$@" >"$out/$name.log" 2>&1
  status=$?
  took="$(($(date +%s) - begun)) s of $limit"
  case $status in
    0) line "$name" "passed, $took: $(grep -v '^=*$' "$out/$name.log" | tail -1)" ;;
    124) line "$name" "not finished in $limit s"; failed=$((failed + 1)) ;;
    *) line "$name" "FAILED with status $status, $took: $name.log"; failed=$((failed + 1)) ;;
  esac
}
# In processes of their own: a model and its samples, twice the same bytes.
twice='for n in 1 2; do
  "$1/dale" train --device cuda --precision "$2" --steps 200 --batch 128 --width 32 --out "$3-$n" &&
    "$1/dale" sample --device cuda --precision "$2" --checkpoint "$3-$n/model.safetensors" \
      --sampler dpm-solver --out "$3-$n/samples" || exit 1
done
cmp "$3-1/model.safetensors" "$3-2/model.safetensors" &&
  cmp "$3-1/samples/samples.npy" "$3-2/samples/samples.npy" && echo "the same bytes"'

: >>"$summary"
line "part $part" "$(date -u +%Y-%m-%d) $("$build/dale" info | sed -n 's/^dale *//p')"
case $part in
  1)
    step device 20 nvidia-smi sh -c "nvidia-smi && '$build/dale' info"
    [ -z "$missing" ] || step emulated 420 host "$build/check-emulated" '[machines]'
    step ops-one-by-one 90 '' env CUDA_LAUNCH_BLOCKING=1 "$build/check" '[machines]~[captured]'
    step ops 60 '' "$build/check" '[machines]~[captured]'
    step captured 60 '' "$build/check" '[captured]'
    for precision in full tf32; do
      step "twice-$precision" 60 '' sh -c "$twice" sh "$build" $precision "$out/$precision"
    done
    step rates 120 '' "$build/benchmark" --benchmark_filter=cuda
    step nsight 60 ncu ncu --set basic -c 40 "$build/dale" train --device cuda --classes --steps 1 \
      --batch 128 --width 32 --out "$out/nsight" ;;
  2)
    step peer 270 '' python3 experiments/bench/peer.py "$build/benchmark" --device cuda --out "$out"
    for tool in memcheck racecheck initcheck synccheck; do
      step $tool 75 compute-sanitizer compute-sanitizer --tool $tool --report-api-errors no \
        --error-exitcode 9 "$uncached/check" '[machines]~[captured],[captured][errors]'
    done
    step quick 240 '' "$build/dale" compare --device cuda --profile smoke --out "$out/smoke" ;;
  *) echo "prove_cuda.sh: part '$part'; expected 1 or 2"; exit 2 ;;
esac
[ $failed -eq 0 ]
