#!/bin/sh
# Many ranks, the same bytes: models and samples of 1, 2 and 4 processes against one that was started without
# mpirun; ranks killed at moments of chance; ranks that do not fit. For builds with MPI=1. KILLS is how many
# (3), as kill.sh has it.
. tests/few.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
ranks_say() {  # how many, their status, fragment of stderr, arguments…
  n=$1
  shift
  under "mpirun -q -n $n" "$@"
}
ranks() { n=$1; shift; ranks_say $n 0 '' "$@"; }
small='--batch 16 --seed 3'
narrow="$small --width 8"
trains() {  # name, options…
  name=$1
  shift
  does train $small "$@" --out "$work/$name"
  for n in 1 2 4; do
    ranks $n train $small "$@" --threads $((n % 2 + 1)) --out "$work/$name-$n"
    same "$name/model.safetensors" "$name-$n/model.safetensors"
  done
}
trains gbm --width 8 --steps 4 --shards 8 --classes --dropout 0.1 --decay cosine --optimizer muon \
  --sample-every 2
same gbm/grid-00000004.png gbm-4/grid-00000004.png
same gbm/validation.csv gbm-4/validation.csv
trains ve --width 8 --steps 3 --shards 4 --process ve
trains paper --width 8 --steps 3 --shards 4 --process gbm-paper
trains further --steps 2 --shards 4 --from "$work/ve/model.safetensors"
tuning="tune $small --shards 4 --steps 6 --checkpoint $work/ve/model.safetensors"
does $tuning --out "$work/fast"
ranks 4 $tuning --out "$work/fast-4"
same fast/model.safetensors fast-4/model.safetensors
does train $narrow --steps 3 --process ve --shards 1 --out "$work/whole"
! cmp -s "$work/whole/model.safetensors" "$work/ve/model.safetensors" || fail 'shards change nothing'
ranks_say 2 0 'one process makes the same bytes with --shards 2' \
  train $narrow --steps 3 --process ve --out "$work/unsaid"

# Samples, with batches that do not come out even, and signs that change.
for n in 1 2 3; do
  ranks $n sample --sampler unconstrained --steps 8 --count 10 --batch 2 --out "$work/s$n"
  same s1/samples.npy "s$n/samples.npy"
  grep sign_changes "$work/s$n/sample.json" >"$work/signs$n"
  same signs1 "signs$n"
done

# A comparison: models, samples and pictures.
comparison='compare --profile smoke --dataset fashion-mnist'
does $comparison --shards 2 --out "$work/c1"
ranks 2 $comparison --out "$work/c2"
for file in $(cd "$work/c1" && find fashion-mnist -name '*.safetensors' -o -name '*.npy' -o -name '*.png'); do
  same "c1/$file" "c2/$file"
done
grep -q '"finished": true' "$work/c2/comparison.json" || fail 'a comparison by 2 ranks does not end'

# What does not fit is one sentence of one rank.
ranks_say 2 2 '4 shards of a batch of 6 images' train --steps 2 --batch 6 --shards 4 --out "$work/x"
ranks_say 4 2 '4 ranks for 2 shards' train --steps 2 --batch 8 --shards 2 --out "$work/x"
ranks_say 3 2 '3 shards of a batch of 6 images' train --steps 2 --batch 6 --out "$work/x"
ranks_say 2 2 'is for one process' study exact --out "$work/x"
ranks_say 2 1 'sampling step 1: [group_norm] made a value that is not finite' \
  sample --classes 0,1 --guidance 1e38 --steps 4 --count 4 --batch 2 --out "$work/x"
ranks_say 2 2 'holds a run already' train $narrow --steps 2 --out "$work/ve"
cat >"$work/other.sh" <<'SCRIPT'
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || set -- "$@" --lr 0.5
exec "$@"
SCRIPT
under "mpirun -q -n 2 sh $work/other.sh" 1 'rank 1 has other sources, options or data than rank 0' \
  train $narrow --steps 2 --out "$work/x"

# A rank killed at a moment of chance ends all, soon; with another number of ranks the run goes on.
long="train $narrow --steps 300 --shards 4 --checkpoint-every 20"
does $long --out "$work/long"
number=0 n=2
while [ $number -lt "${KILLS:-3}" ]; do
  number=$((number + 1))
  timeout 120 mpirun -q -n $n "$dale" $long --resume --out "$work/killed" >/dev/null 2>&1 & pid=$!
  sleep "$(awk -v s=$number 'BEGIN {srand(s); print 0.5 + rand() * 1.5}')"
  victim=$(pgrep -f "^$dale $long .*$work/killed" | tail -1)
  [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null
  wait $pid
  n=$((6 - n))
done
ranks 4 $long --resume --out "$work/killed"
same long/model.safetensors killed/model.safetensors

# Stopped by a signal, as one process is.
timeout 120 mpirun -q -n 2 "$dale" train $narrow --steps 9999 --shards 4 --out "$work/stopped" \
  >/dev/null 2>&1 & pid=$!
sleep 2
pkill -TERM -f "^mpirun -q -n 2 .*$work/stopped"
wait $pid
ls "$work"/stopped/checkpoint-* >/dev/null 2>&1 || fail 'a signal to mpirun saves nothing'
