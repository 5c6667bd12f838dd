# Sourced after scratch.sh by tests of pages: Chromium without a window. A test ends here where there is none.
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || exit 0
browse() {  # width, page
  timeout 120 "$chromium" --headless --no-sandbox --hide-scrollbars --disable-gpu --enable-logging=stderr \
    --user-data-dir="$work/profile" --window-size="$1",900 --v=0 --virtual-time-budget=5000 \
    --dump-dom "file://$2"
}
# As it is: a request or a script would break its content security policy, which the console reports.
opens() {  # page
  browse 1280 "$1" >"$work/dom" 2>"$work/console"
  grep -q '</html>' "$work/dom" || fail "Chromium did not open $1"
  ! grep 'CONSOLE' "$work/console" || fail 'the console complains'
}
# With a script in it that measures, in a frame, which can be narrower than Chromium's windows.
fits() {  # page
  sed "s|<meta http-equiv='Content-Security-Policy'[^>]*>||" "$1" >"$work/measured.html"
  cat >>"$work/measured.html" <<'SCRIPT'
<script>
addEventListener('load', () => {
  const wide = document.documentElement.clientWidth, wrong = [];
  for (const i of document.images)
    if (!i.alt || !i.complete || !i.naturalWidth)
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
}
