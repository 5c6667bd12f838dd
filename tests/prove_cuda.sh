#!/bin/sh
# Proof on a device, in two parts of under nine minutes each:  prove_cuda.sh PART OUT BUILD
# BUILD is finished (make prove-cuda makes it), and nothing is installed or fetched: what BUILD/lib holds is
# taken for libraries that a machine lacks, ./data for data sets. A step has its own time limit, its log
# OUT/STEP.log and its line in OUT/summary.txt; one that fails stops no other. Without a device the emulated
# machine does what it can, and every other step says what it needs.
#
#   1  the ops, one kernel at a time and as they come; captured functions; two processes, the same bytes;
#      rates; what Nsight Compute says of the kernels of a step
#   2  R1 against PyTorch; the sanitizers, in a build that uses no block of memory twice; a comparison
#
# For a machine with a device and without the libraries, prove_cuda.sh carry - BUILD fills BUILD/lib with this
# one's, but for the C library: BUILD/{dale,check*,benchmark,lib} and the sources are then all that it needs.
part=$1 out=$2 build=$3
case $part in 1 | 2 | carry) ;; *) echo "prove_cuda.sh: part '$part'; expected 1, 2 or carry"; exit 2 ;; esac
cd "$(dirname "$0")/.." || exit 1
if [ "$part" = carry ]; then
  mkdir -p "$build/lib" && ldd "$build/dale" "$build/check" "$build/benchmark" | awk '/=> \// {print $3}' |
    grep -Ev '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' | sort -u | xargs cp -Lt "$build/lib"
  exit
fi
export LD_LIBRARY_PATH="$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
summary=$out/summary.txt
failed=0
end=$(($(date +%s) + 525))
mkdir -p "$out" && touch "$summary" && sed -i "/^part.$part/d" "$summary" || exit 1
info=$(timeout 60 "$build/dale" info) || { echo "prove_cuda.sh: $build/dale does not run here"; exit 2; }
missing=$(echo "$info" | sed -n 's/^cuda *none: /needs a device: /p')

line() { printf '%-28s%s\n' "$1" "$2" | tee -a "$summary"; }
has() {
  case $1 in
    PyTorch) "$python" -c 'import torch' 2>/dev/null ;;
    fashion-mnist) echo "$info" | grep -q '^data *fashion-mnist */' ;;
    *) command -v "$1" >/dev/null ;;
  esac
}
# name, seconds, what it needs beside a device ("host": no device), command…
step() {
  name=part-$part-$1 limit=$2 needs=$3
  shift 3
  if [ "$needs" = host ]; then needs=
  elif [ -n "$missing" ]; then line "$name" "$missing"; return
  fi
  if [ -n "$needs" ] && ! has "$needs"; then line "$name" "needs $needs"; return; fi
  begun=$(date +%s)
  [ $((end - begun)) -gt "$limit" ] || limit=$((end - begun))
  if [ "$limit" -lt 5 ]; then line "$name" 'no time is left'; failed=$((failed + 1)); return; fi
  timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1
  status=$?
  last="$(($(date +%s) - begun)) s of $limit: $(grep -v '^=*$' "$out/$name.log" | tail -1 | cut -c1-200)"
  case $status in
    0) line "$name" "passed, $last"; return ;;
    124 | 137) line "$name" "not finished, $last" ;;
    *) line "$name" "FAILED with status $status, $last" ;;
  esac
  failed=$((failed + 1))
}

# A comparison, which may want for time.
compare() {  # profile, seconds
  before=$failed
  step "$1" "$2" fashion-mnist sh -c "rm -rf '$out/$1'; '$build/dale' compare --device cuda \
    --dataset fashion-mnist --profile $1 --out '$out/$1'"
  case $(tail -1 "$summary") in *'not finished'* | *'no time'*) failed=$before ;; esac
}

# What comes with dale, and needs no package of data.
export rain='--device cuda --dataset rain --embedding offset:0.1 --batch 128 --width 32'
# In processes of their own: a model and its samples, twice the same bytes.
twice='rm -rf "$3"-[12]
for n in 1 2; do
  "$1/dale" train $rain --precision "$2" --steps 200 --out "$3-$n" &&
    "$1/dale" sample --device cuda --precision "$2" --checkpoint "$3-$n/model.safetensors" \
      --sampler dpm-solver --out "$3-$n/samples" || exit
done
cmp "$3-1/model.safetensors" "$3-2/model.safetensors" &&
  cmp "$3-1/samples/samples.npy" "$3-2/samples/samples.npy" && echo "the same bytes"'
# Launches and bytes of a step, which need no device.
counts='"$1" "[counts]" >"$2"
status=$?
cat "$2"
echo "$(sed -n "s/^ *\([0-9]*\) *\([0-9.]*\)  in all/\1 launches and copies, \2 MB/p" "$2" | paste -sd";")"
exit $status'

line "part $part" "$(date -u +%Y-%m-%d) $(echo "$info" | sed -n 's/^dale *//p')"
case $part in
  1)
    step device 20 '' sh -c "nvidia-smi; '$build/dale' info | grep '^cuda'"
    step counts 60 host sh -c "$counts" sh "$build/check-emulated" "$out/counts.txt"
    [ -z "$missing" ] || step emulated 420 host "$build/check-emulated" '[machines]'
    step ops-one-by-one 90 '' env CUDA_LAUNCH_BLOCKING=1 "$build/check" '[machines]~[captured]'
    step ops 60 '' "$build/check" '[machines]~[captured]'
    step captured 60 '' "$build/check" '[captured]'
    for precision in full tf32; do
      step "twice-$precision" 60 '' sh -c "$twice" sh "$build" $precision "$out/$precision"
    done
    step rates 60 '' "$build/benchmark" --benchmark_filter=cuda --benchmark_min_warmup_time=1.5
    # The first step is not captured. Of its products, norms and sums the last forward and the first backward.
    step nsight 90 ncu sh -c "rm -rf '$out/nsight'; ncu --kernel-name 'regex:product|norm|differ|reduce' \
      --launch-skip 30 --launch-count 30 --section SpeedOfLight --section Occupancy --section SchedulerStats \
      --section WarpStateStats --section MemoryWorkloadAnalysis --section MemoryWorkloadAnalysis_Tables \
      '$build/dale' train \$rain --steps 1 --out '$out/nsight'" ;;
  2)
    # Each ratio is of one run on one card, its sides in turn.
    for python in "$build/peer/bin/python" python3 /usr/bin/python3; do has PyTorch && break; done
    step peer 300 PyTorch env BENCHMARK_MIN_WARMUP_TIME=1.5 "$python" experiments/bench/peer.py \
      "$build/benchmark" --device cuda --peer "$build/peer" --rounds 3 --seconds 1 --out "$out"
    for tool in memcheck racecheck initcheck synccheck; do
      step $tool 75 compute-sanitizer compute-sanitizer --tool $tool --kernel-name kns=dale \
        --report-api-errors no --error-exitcode 9 "$build/check-uncached" \
        '[machines]~[captured]~[train],[captured][errors]'
    done
    compare smoke 60
    compare quick 300 ;;
esac
[ $failed -eq 0 ]
