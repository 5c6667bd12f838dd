#!/bin/sh
# kill -9 at random moments of a 300-step run, resuming each time, now with one thread and now with two: the
# model must be the uninterrupted run's, byte for byte, and metrics.csv have each step once with the same
# figures. Then the same of tuning, of sampling, and of a comparison, which continues without being asked.
# KILLS is how often, each (ten).
. tests/few.sh
fail() { echo "kill -9: $1"; cat "$work/err"; exit 1; }
quietly() { exec "$dale" "$@" >/dev/null 2>"$work/err"; }
results() { find "$1" -name model.safetensors -o -name samples.npy | sort | xargs cat | md5sum; }
same_results() { [ "$(results "$work/$1-whole")" = "$(results "$work/$1-cut")" ] || fail "$1: other bytes"; }

# Images to train on that need no download: those of a model of four steps.
first=$work/first/model.safetensors
(quietly train --steps 4 --batch 8 --width 8 --out "$work/first") || fail 'a model'
(quietly sample --checkpoint "$first" --steps 2 --count 50 --out "$work/s") || fail 'its samples'
# Does it whole, then kills it until it was killed so often, and lets the last resume end.
killed() {  # name, a command that begins anew or continues
  name=$1
  shift
  start=$(date +%s%N)
  (quietly "$@" --out "$work/$name-whole" --threads 2) || fail "$name, uninterrupted"
  length=$((($(date +%s%N) - start) / 1000000))
  kills=0
  while [ $kills -lt "${KILLS:-10}" ]; do
    (quietly "$@" --out "$work/$name-cut" --threads $((kills % 2 + 1))) &
    run=$!
    # Up to a fifth of its length: kills then fall before its end, wherever checkpoints put it back to.
    random=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
    sleep "$(awk -v r="$random" -v l="$length" 'BEGIN {print (0.05 + 0.15 * r / 65536) * l / 1000}')"
    kill -9 $run 2>/dev/null
    wait $run 2>/dev/null
    case $? in
      137) kills=$((kills + 1)) ;;
      0)  # it was done before
        same_results "$name"
        rm -rf "$work/$name-cut"
        ;;
      *) fail "$name, resumed" ;;
    esac
  done
  (quietly "$@" --out "$work/$name-cut" --threads 2) || fail "$name, resumed at last"
  same_results "$name"
  echo "kill -9: $kills kills of $name, and the models and samples of the one that was left alone"
}

killed train train --dataset "$work/s/samples.npy" --steps 300 --batch 8 --width 8 --seed 3 --dropout 0.1 \
  --decay cosine --checkpoint-every 5 --resume
[ "$(figures train-whole)" = "$(figures train-cut)" ] || fail 'metrics.csv differs'
[ "$(ls "$work/train-cut" | grep -c checkpoint-)" = 2 ] || fail 'not two checkpoints'
killed tuning tune --checkpoint "$first" --dataset "$work/s/samples.npy" --steps 150 --batch 8 \
  --checkpoint-every 5 --resume
killed sampling sample --checkpoint "$first" --steps 12 --count 60 --batch 2 --sampler unconstrained --resume
same sampling-whole/grid.png sampling-cut/grid.png
[ "$(grep sign_changes "$work/sampling-whole/sample.json")" = \
  "$(grep sign_changes "$work/sampling-cut/sample.json")" ] || fail 'the sign changes differ'
[ -z "$(ls -a "$work/sampling-cut" | grep -E 'part|lock')" ] || fail 'sampling left files behind'
killed comparing compare --profile smoke --dataset fashion-mnist
