#!/bin/sh
# The comparison's report, by a run too small to mean anything: stopped half-way and continued to the same
# numbers, nothing made twice; then, where Chromium is at hand, opened as a reader would at the widths of a
# phone and a desk.
. tests/scratch.sh

# The data set's package is installed by make deps. Interrupt once the first samples are judged:
# the program itself, which the shell becomes, for it would outlive a shell.
compare() {
  exec "$dale" compare --profile smoke --training-seeds 2 --dataset fashion-mnist \
    --out "$work/run" >"$work/out" 2>"$work/err"
}
compare & pid=$!
judged() { find "$work/run" -name 'seed-*.json' "$@" 2>/dev/null; }
while kill -0 $pid 2>/dev/null && [ -z "$(judged -name 'seed-0.json')" ]; do sleep 0.2; done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
! grep -q '"finished": true' "$work/run/comparison.json" || fail 'the run was not stopped before its end'
judged -exec cp {} "$work/first.json" \;
does report "$work/run"
for part in 'In progress. Still to come' 'gbm' 'data:image/png'; do
  grep -q "$part" "$work/run/report.html" || fail "the report in progress lacks: $part"
done
(compare) || fail 'a stopped comparison was not continued'
! grep -q 'In progress' "$work/run/report.html" || fail 'a finished comparison says that it goes on'
judged -exec cmp -s {} "$work/first.json" \; -print | grep -q . || fail 'judged samples were judged again'
touch "$work/mark"
(compare) || fail 'a finished comparison did not write its report anew'
again=$(find "$work/run" -newer "$work/mark" \
  \( -name 'seed-*' -o -name '*.npy' -o -name '*.png' -o -name 'section.html' \))
[ -z "$again" ] || fail "a finished comparison made again: $again"
page=$work/run/report.html
cp "$page" "$work/before.html" && rm "$page"
"$dale" report "$work/run" >/dev/null && cmp -s "$page" "$work/before.html" ||
  fail 'dale report made another page of the same files'
! grep -q 'dale.html' "$page" || fail 'it links to a page that is not there'
touch "$work/run/dale.html" && "$dale" report "$work/run" >/dev/null && grep -q "href='dale.html'" "$page" ||
  fail 'it does not link to the page beside it'
rm "$work/run/dale.html"
for model in gbm ve gbm-consistency; do
  [ -e "$work/run/fashion-mnist/$model-seed-1/model.safetensors" ] ||
    fail "$model has no second training seed"
done
[ ! -e "$work/run/fashion-mnist/gbm-paper-seed-1" ] || fail 'what no claim rests on was trained twice'
for part in 'The question' 'One multiplication' 'Multiplicative by additive' \
  'Fréchet distance against evaluations' 'Fréchet distance against time' \
  'training loss' 'log-normal' 'Film strip' 'sign changes' 'Nearest training images' 'All numbers' \
  'Small experiments' 'MIT licence' 'dale compare' 'guidance'; do
  grep -q "$part" "$page" || fail "it lacks: $part"
done
! grep -q '>nan<\|(nan)\|inf ±' "$page" || fail 'it shows a number that is none'

# Samples of other sources are made again; samples that are all alike are a row and a sentence, not the end.
run=$work/run/fashion-mnist
sed -i 's/"sources": "[0-9a-f]*"/"sources": "others"/' "$run/ve/probability-flow-2-66/seed-1.json"
grey=$run/gbm/probability-flow-2-66/seed-0/samples.npy
{ head -c 128 "$grey"; head -c $((66 * 784 * 4)) /dev/zero; } >"$work/grey" && mv "$work/grey" "$grey"
(compare) || fail 'samples that are all alike ended the comparison'
! grep -q others "$run/ve/probability-flow-2-66/seed-1.json" || fail 'samples of other sources were kept'
grep -q 'every pixel is the same' "$page" || fail 'the report does not say that samples are all alike'

. tests/browse.sh
opens "$page"
grep -q "default-src 'none'; img-src data:" "$work/dom" || fail 'it has no content security policy'
fits "$page"
! grep -o '<img [^>]*>' "$page" | grep -v "width='[1-9][0-9]*' height='[1-9]" ||
  fail 'an image without a size'
