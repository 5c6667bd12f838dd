#!/bin/sh
# kill -9 at random moments of a 300-step run, resuming each time, now with one thread and now with two: the
# model must be the uninterrupted run's, byte for byte, and metrics.csv have each step once with the same
# figures. Then the same of tuning, of sampling, and of a comparison, which continues without being asked.
# KILLS is how often, each (ten).
. tests/scratch.sh
. tests/few.sh

quietly() { exec "$dale" "$@" >/dev/null 2>"$work/err"; }
# Each is given a folder, a number of threads, and --resume or nothing.
train() {
  quietly train --dataset "$work/s/samples.npy" --steps 300 --batch 8 --width 8 --seed 3 --dropout 0.1 \
    --decay cosine --checkpoint-every 5 --out "$1" --threads "$2" $3
}
tuning() {
  quietly tune --checkpoint "$first" --dataset "$work/s/samples.npy" --steps 150 --batch 8 \
    --checkpoint-every 5 --out "$1" --threads "$2" $3
}
sampling() {
  quietly sample --checkpoint "$first" --steps 12 --count 60 --batch 2 --sampler unconstrained \
    --out "$1" --threads "$2" $3
}
comparing() { quietly compare --profile smoke --dataset fashion-mnist --out "$1" --threads "$2"; }
results() { find "$1" -name model.safetensors -o -name samples.npy | sort | xargs cat | md5sum; }
figures() { cut -d, -f1-4 "$1/metrics.csv"; }
fail() { echo "kill -9: $1"; cat "$work/err"; exit 1; }

# Images to train on that need no download: those of a model of four steps.
first=$work/first/model.safetensors
(quietly train --steps 4 --batch 8 --width 8 --out "$work/first") || fail 'a model'
(quietly sample --checkpoint "$first" --steps 2 --count 50 --out "$work/s") || fail 'its samples'
# Does it whole, then kills it until it was killed so often, and lets the last resume end.
killed() {  # command
  start=$(date +%s%N)
  ("$1" "$work/$1-whole" 2) || fail "$1, uninterrupted"
  length=$((($(date +%s%N) - start) / 1000000))
  kills=0
  while [ $kills -lt "${KILLS:-10}" ]; do
    ("$1" "$work/$1-cut" $((kills % 2 + 1)) --resume) &
    run=$!
    # Up to a fifth of its length: kills then fall before its end, wherever checkpoints put it back to.
    random=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
    sleep "$(awk -v r="$random" -v l="$length" 'BEGIN {print (0.05 + 0.15 * r / 65536) * l / 1000}')"
    kill -9 $run 2>/dev/null
    wait $run 2>/dev/null
    case $? in
      137) kills=$((kills + 1)) ;;
      0)  # it was done before
        [ "$(results "$work/$1-whole")" = "$(results "$work/$1-cut")" ] || fail "$1: other bytes"
        rm -rf "$work/$1-cut"
        ;;
      *) fail "$1, resumed" ;;
    esac
  done
  ("$1" "$work/$1-cut" 2 --resume) || fail "$1, resumed at last"
  [ "$(results "$work/$1-whole")" = "$(results "$work/$1-cut")" ] || fail "$1: other bytes"
  echo "kill -9: $kills kills of $1, and the models and samples of the one that was left alone"
}

killed train
[ "$(figures "$work/train-whole")" = "$(figures "$work/train-cut")" ] || fail 'metrics.csv differs'
[ "$(ls "$work/train-cut" | grep -c checkpoint-)" = 2 ] || fail 'not two checkpoints'
killed tuning
killed sampling
cmp "$work/sampling-whole/grid.png" "$work/sampling-cut/grid.png" || exit 1
[ "$(grep sign_changes "$work/sampling-whole/sample.json")" = \
  "$(grep sign_changes "$work/sampling-cut/sample.json")" ] || fail 'the sign changes differ'
[ -z "$(ls -a "$work/sampling-cut" | grep -E 'part|lock')" ] || fail 'sampling left files behind'
killed comparing
