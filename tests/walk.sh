#!/bin/sh
# The README's walk with images of one's own: grey PNG and coloured JPEG of several sizes, in three folders.
. tests/scratch.sh
does sample --count 24 --images --out "$work/s"
for class in bag frog shoe; do mkdir -p "$work/mine/$class"; done
for n in 0 1 2 3 4 5 6 7; do
  cp "$work/s/images/0000$n.png" "$work/mine/bag/$n.png"
  cp "$work/s/images/0001$n.png" "$work/mine/shoe/$n.png" 2>/dev/null
  cp tests/fixtures/colour.jpg "$work/mine/frog/$n.jpg"
done
small="--size 16 --batch 4 --width 8"
expect 1 'choose a --size for all' train --dataset "$work/mine" --out "$work/run"
does train --dataset "$work/mine" $small --classes --multipliers 1,2 --attention 8 --steps 1e1 \
  --sample-every 5 --out "$work/run"
grep -q 'resized and cropped to 16x16' "$work/out" || fail 'training says what became of the images'
does report "$work/run"
grep -q 'after 10 steps' "$work/run/report.html" || fail 'the page shows samples'
model=$work/run/model.safetensors
does sample --checkpoint "$model" --sampler dpm-solver --steps 4 --classes frog,shoe --guidance 2 \
  --count 6 --images --trajectory --out "$work/guided"
[ -s "$work/guided/images/00005.png" ] && [ -s "$work/guided/trajectory.png" ] || fail 'images and trajectory'
expect 2 "unknown class 'cat'; did you mean 'bag'? (known: bag, frog, shoe)" \
  sample --checkpoint "$model" --classes cat --out "$work/x"
does sample --checkpoint "$model" --steps 4 --count 2 --inpaint tests/fixtures/colour.jpg \
  --mask "$work/s/images/00000.png" --out "$work/completed"
does evaluate --samples "$work/guided/samples.npy" --dataset "$work/mine" --size 16
grep -q 'kernel distance of values' "$work/out" || fail 'evaluation without a judge'
does train-classifier --dataset "$work/mine" --size 16 --epochs 2 --batch 4 --out "$work/c.safetensors"
expect 2 'a covariance of 64 features needs at least 65' evaluate --samples "$work/guided/samples.npy" \
  --dataset "$work/mine" --classifier "$work/c.safetensors" --out "$work/z.json"
[ ! -e "$work/z.json" ] || fail 'a refused command left its file behind'
does tune --checkpoint "$model" --dataset "$work/mine" --steps 6 --sample-every 3 --batch 4 \
  --out "$work/fast"
does sample --checkpoint "$work/fast/model.safetensors" --sampler consistency --count 2 --out "$work/once"
does likelihood --checkpoint "$model" --dataset "$work/mine" --count 2 --steps 4
does train --dataset "$work/mine" --from "$model" --steps 4 --batch 4 --out "$work/further"
