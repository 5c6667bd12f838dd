#!/bin/sh
# The five chapters as one page, with contents and figures inside: docs/book.sh OUT.html, by pandoc. Links
# between chapters become links within the page; those to sources become plain text, which need not be beside
# it.
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/style.html" <<'STYLE'
<style>
:root { color-scheme: light dark; --line: #8886; }
html { font: 17px/1.55 Georgia, serif; } body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; font-family: system-ui, sans-serif; }
h1 { margin-top: 4rem; border-top: 3px solid; padding-top: 1rem; } h1.title { border: 0; margin-top: 1rem; }
pre, code { font: .84em/1.45 ui-monospace, monospace; } pre { overflow-x: auto; padding: .6rem; background: #8882; }
pre code { white-space: pre; }
blockquote { margin: 1.2rem 0; padding: .1rem 1rem; border-left: 4px solid #0072b2; background: #8881; color: inherit; }
table { border-collapse: collapse; font-size: .85em; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top; }
img, svg { max-width: 100%; height: auto; image-rendering: pixelated; } a { color: inherit; }
nav { font-family: system-ui, sans-serif; font-size: .9rem; } nav > ul > li { margin-top: .6rem; }
@media print { pre { white-space: pre-wrap; } h1 { break-before: page; } nav a { text-decoration: none; } }
</style>
STYLE
for chapter in tensor autograd nn diffusion experiments; do
  sed -E -e "s@!\[([^]]*)\]\(([^)]*)\)@![\1]($chapter/\2)@g" \
    -e 's@\]\((\.\./)?[a-z]+/README\.md#([^)]*)\)@](#\2)@g' -e 's@\]\((\.\./)?([a-z]+)/README\.md\)@](#\2)@g' \
    -e 's@(^|[^!])\[([^]]*)\]\(([^)#h][^)]*)\)@\1\2@g' -e "1s@^# @<span id=\"$chapter\"></span>\n\n# @" \
    -e '/^<!-- .* -->$/d' "$chapter/README.md"
  echo
done >"$work/book.md"
embed=--self-contained  # as pandoc 2 calls it
! pandoc --help | grep -q -- --embed-resources || embed='--embed-resources --standalone'
# shellcheck disable=SC2086  # words
pandoc -f gfm -t html5 $embed --no-highlight --toc --toc-depth=2 -M lang=en \
  -M title='dale: tensors, gradients, and a model that multiplies' -H "$work/style.html" "$work/book.md" -o "$1"
