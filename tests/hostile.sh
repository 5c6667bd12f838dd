#!/bin/sh
# What a hostile place does to a program that means well: full or closed outputs, devices, links and FIFOs for
# names, two runs in one folder, limits, signals. Nothing may be lost, and what is wrong is one sentence.
. tests/few.sh
is() { [ "$1" = "$2" ] || fail "$3: '$1', expected '$2'"; }

# Commands, whose words are the options.
training='train --steps 4 --batch 8 --width 8'
model=$work/a/model.safetensors
sampling="sample --checkpoint $model --steps 2 --count 70"
judging="evaluate --samples $work/s/samples.npy"
does $training --out "$work/a"
does $sampling --out "$work/s"

for option in eta sigma guidance; do
  ! grep -q "\"$option\"" "$work/s/sample.json" || fail "sample.json names $option, which did nothing"
done
expect 1 'is no data set; expected a folder of PNG or JPEG files, or a .npy file' \
  train --dataset "$model" --out "$work/x"

# Reports that nobody can read stop nothing; results that cannot be written are an error.
"$dale" $training --out "$work/b" >/dev/null 2>/dev/full || fail 'a full stderr stopped a run'
"$dale" $training --out "$work/c" >/dev/null 2>&- || fail 'a closed stderr stopped a run'
for run in b c; do same a/model.safetensors $run/model.safetensors; done
is "$(head -1 "$work/c/metrics.csv" | cut -c1-9)" step,loss 'metrics.csv beside a closed stderr'
is "$(wc -l <"$work/c/metrics.csv")" 5 'lines of metrics.csv beside a closed stderr'
"$dale" $sampling --out "$work/s2" >/dev/null 2>&- || fail 'a closed stderr stopped sampling'
same s/samples.npy s2/samples.npy
"$dale" info >/dev/full 2>"$work/err"
is $? 1 'info to a full stdout'
says 'cannot write the results to stdout'
"$dale" info >&- 2>"$work/err"
is $? 1 'info to a closed stdout'
"$dale" trian >&- 2>/dev/full
is $? 2 'a mistake that cannot be told'

# Names that are no files.
mkfifo "$work/fifo"
ln -s "$work/target.json" "$work/link.json"
does $judging --out "$work/link.json"
[ -L "$work/link.json" ] && [ -s "$work/target.json" ] || fail 'a link given as --out was replaced'
if [ "$(id -u)" = 0 ] && mknod "$work/null" c 1 3 2>/dev/null; then
  does $judging --out "$work/null"
  [ -c "$work/null" ] || fail 'a device given as --out was replaced'
else
  echo 'hostile: not tried as a user who may make devices'
fi
for out in "$work/fifo" "$work/none/x.json" "$work"; do
  expect 1 "cannot write $out" $judging --out "$out"
done
expect 1 'a FIFO or a socket; expected a file' evaluate --samples "$work/fifo"
expect 2 'is not UTF-8' train --dataset "$(printf 'd\351j\340')" --out "$work/x"

# Checkpoints that the user may not read are not "no checkpoints": the run is refused and left as it is.
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
if [ "$(id -u)" = 0 ] && $nobody true 2>/dev/null; then
  does $training --checkpoint-every 2 --out "$work/n"
  cp "$dale" "$work/dale"
  chmod -R a+rwX "$work"
  chmod 600 "$work"/n/checkpoint-*
  before=$(cat "$work"/n/*.* | md5sum)
  program=$dale dale=$work/dale  # which nobody may read
  under "$nobody" 1 'none of the checkpoints in' train --steps 6 --batch 8 --width 8 --resume --out "$work/n"
  dale=$program
  is "$(cat "$work"/n/*.* | md5sum)" "$before" 'a run whose checkpoints may not be read'
else
  echo 'hostile: not tried as a user who may not read his checkpoints'
fi

# One process in a folder; signals keep what is done; a limit is an error that leaves nothing.
"$dale" sample --checkpoint "$model" --steps 50 --count 100000 --batch 2 --out "$work/t" >/dev/null 2>&1 &
first=$!
until [ -e "$work/t/sample.json.part" ] || ! kill -0 $first 2>/dev/null; do sleep 0.1; done
expect 1 "is in use by process $first on" $sampling --out "$work/t"
kill -TERM $first
wait $first
is $? 143 'sampling after SIGTERM'
[ -s "$work/t/samples.npy.part" ] || fail 'SIGTERM lost what was sampled'
expect 2 'holds samples of other options or another model' $sampling --resume --out "$work/t"
under 'prlimit --fsize=4096' 1 'File too large' $sampling --out "$work/u"
case $build in
  *san*) ;;  # a sanitizer needs more than a limit on memory leaves
  *) under 'prlimit --as=300000000' 1 'out of memory' $judging ;;
esac
[ -z "$(find "$work" -name '*.tmp')" ] || fail 'temporary files were left behind'
