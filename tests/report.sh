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
"$dale" report "$work/run" >/dev/null || fail 'no report of what a stopped comparison left'
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

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  [ $failures -eq 0 ]
  exit
}
browse() {  # width, page
  timeout 120 "$chromium" --headless --no-sandbox --hide-scrollbars --disable-gpu --enable-logging=stderr \
    --user-data-dir="$work/profile" --window-size="$1",900 --v=0 --virtual-time-budget=5000 \
    --dump-dom "file://$2"
}
# As it is: a request or a script would break its content security policy, which the console reports.
browse 1280 "$page" >"$work/dom" 2>"$work/console"
grep -q '</html>' "$work/dom" || fail 'Chromium did not open it'
! grep 'CONSOLE' "$work/console" || fail 'the console complains'
grep -q "default-src 'none'; img-src data:" "$work/dom" || fail 'it has no content security policy'
# With a script in it that measures, in a frame, which can be narrower than Chromium's windows.
sed "s|<meta http-equiv='Content-Security-Policy'[^>]*>||" "$page" >"$work/measured.html"
cat >>"$work/measured.html" <<'SCRIPT'
<script>
addEventListener('load', () => {
  const wide = document.documentElement.clientWidth, wrong = [];
  for (const i of document.images)
    if (!i.alt || !i.getAttribute('width') || !i.getAttribute('height') || !i.complete || !i.naturalWidth)
      wrong.push('image ' + i.alt);
  for (const s of document.querySelectorAll('svg'))
    if (!s.getAttribute('aria-label')) wrong.push('plot without a name');
  for (const t of document.querySelectorAll('table')) {
    const box = t.getBoundingClientRect();
    if (box.right > wide + 1) wrong.push('table ' + box.right + ' > ' + wide);
  }
  const page = document.documentElement.scrollWidth;
  if (page > wide) wrong.push('page ' + page + ' > ' + wide);
  for (const r of performance.getEntriesByType('resource'))
    if (!r.name.startsWith('data:')) wrong.push('request ' + r.name);
  const all = wrong.join('; ') || 'all well';
  parent.postMessage(innerWidth + ' wide, ' + document.images.length + ' images: ' + all, '*');
});
</script>
SCRIPT
for width in 390 1280; do
  cat >"$work/frame.html" <<FRAME
<iframe src='measured.html' style='width: ${width}px; height: 800px; border: 0'></iframe>
<script>addEventListener('message', m => { document.title = 'MEASURED ' + m.data; });</script>
FRAME
  browse 1400 "$work/frame.html" 2>/dev/null | grep -o '<title>MEASURED [^<]*' >"$work/title"
  grep -q "MEASURED $width wide, [1-9][0-9]* images: all well" "$work/title" ||
    fail "at $width pixels: $(cat "$work/title")"
done
[ $failures -eq 0 ]
