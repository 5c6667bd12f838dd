#!/bin/sh
# kill -9 at random moments of a 300-step run, resuming each time, now with one thread and now with two: the
# model must be the uninterrupted run's, byte for byte, and metrics.csv have each step once with the same
# figures. Then the same of sampling. KILLS is how often, each (ten).
build=$1
dale=$build/dale
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

train() {  # out, threads, more…
  out=$1 threads=$2
  shift 2
  exec "$dale" train --dataset "$work/s/samples.npy" --steps 300 --batch 8 --width 8 --seed 3 --dropout 0.1 \
    --decay cosine --checkpoint-every 5 --threads "$threads" --out "$out" "$@" >/dev/null 2>"$work/err"
}
figures() { cut -d, -f1-4 "$1/metrics.csv"; }
fail() { echo "kill -9: $1"; cat "$work/err"; exit 1; }

# Images to train on that need no download: those of a model of four steps.
first=$work/first/model.safetensors
"$dale" train --steps 4 --batch 8 --width 8 --out "$work/first" >/dev/null 2>"$work/err" || fail 'a model'
"$dale" sample --checkpoint "$first" --steps 2 --count 50 --out "$work/s" >/dev/null 2>"$work/err" ||
  fail 'its samples'
start=$(date +%s%N)
(train "$work/whole" 2) || fail 'the uninterrupted run'
length=$((($(date +%s%N) - start) / 1000000))

kills=0
while [ $kills -lt "${KILLS:-10}" ]; do
  (train "$work/cut" $((kills % 2 + 1)) --resume) &
  run=$!
  # Up to a fifth of the run's length: ten kills then fall well before its end, wherever checkpoints put it
  # back to.
  random=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
  sleep "$(awk -v r="$random" -v l="$length" 'BEGIN {print (0.05 + 0.15 * r / 65536) * l / 1000}')"
  kill -9 $run 2>/dev/null
  wait $run 2>/dev/null
  case $? in
    137) kills=$((kills + 1)) ;;
    0)  # it was done before
      cmp "$work/whole/model.safetensors" "$work/cut/model.safetensors" || exit 1
      rm -rf "$work/cut"
      ;;
    *) fail 'a resumed run failed' ;;
  esac
done
(train "$work/cut" 2 --resume) || fail 'the last resume'
cmp "$work/whole/model.safetensors" "$work/cut/model.safetensors" || exit 1
[ "$(figures "$work/whole")" = "$(figures "$work/cut")" ] || fail 'metrics.csv differs'
[ "$(ls "$work/cut" | grep -c checkpoint-)" = 2 ] || fail 'not two checkpoints'
echo "kill -9: $kills kills, and the model and figures of the run that was left alone"

sampling() {  # out, more…
  out=$1
  shift
  exec "$dale" sample --checkpoint "$first" --steps 12 --count 60 --batch 2 --sampler unconstrained \
    --out "$out" "$@" >/dev/null 2>"$work/err"
}
start=$(date +%s%N)
(sampling "$work/s-whole") || fail 'sampling'
length=$((($(date +%s%N) - start) / 1000000))
kills=0
while [ $kills -lt "${KILLS:-10}" ]; do
  (sampling "$work/s-cut" --resume --threads $((kills % 2 + 1))) &
  run=$!
  random=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
  sleep "$(awk -v r="$random" -v l="$length" 'BEGIN {print (0.05 + 0.15 * r / 65536) * l / 1000}')"
  kill -9 $run 2>/dev/null
  wait $run 2>/dev/null
  case $? in
    137) kills=$((kills + 1)) ;;
    0) cmp "$work/s-whole/samples.npy" "$work/s-cut/samples.npy" || exit 1; rm -rf "$work/s-cut" ;;
    *) fail 'resumed sampling failed' ;;
  esac
done
(sampling "$work/s-cut" --resume) || fail 'the last resume of sampling'
for file in samples.npy grid.png; do cmp "$work/s-whole/$file" "$work/s-cut/$file" || exit 1; done
[ "$(grep sign_changes "$work/s-whole/sample.json")" = "$(grep sign_changes "$work/s-cut/sample.json")" ] ||
  fail 'the sign changes differ'
[ -z "$(ls -a "$work/s-cut" | grep -E 'part|lock')" ] || fail 'sampling left files behind'
echo "kill -9: $kills kills of sampling, and the samples of the one that was left alone"
