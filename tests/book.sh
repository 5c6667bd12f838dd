#!/bin/sh
# The five chapters: their equations, files and programs (book.pl), and the page that make book makes of them,
# where pandoc is, opened where Chromium is.
. tests/scratch.sh
perl tests/book.pl >"$work/err" || fail 'the chapters and the code do not agree:'
: >"$work/err"
case $("$dale" info) in
  *'the same bits at v3'*' 4 bytes per real'* | *' 4 bytes per real'*'the same bits at v3'*)
    perl tests/book.pl check "$build" >"$work/err" || fail 'not what the chapters say:' ;;
esac
: >"$work/err"
command -v pandoc >/dev/null || exit 0
docs/book.sh "$work/book.html" 2>"$work/err" || fail 'no book:'
[ ! -s "$work/err" ] || fail 'pandoc complains:'
for chapter in tensor autograd nn diffusion experiments; do
  grep -q "id=\"$chapter\"" "$work/book.html" || fail "the book lacks the chapter $chapter"
done
! grep -oE '(src|href)="[^#d"][^"]*"' "$work/book.html" | grep -v '"https\?:' ||
  fail 'the book needs files beside it'
! grep -oE 'href="#[^"]*"' "$work/book.html" | sort -u | sed 's/href="#//; s/"//' | while read -r id; do
  grep -q "id=\"$id\"" "$work/book.html" || echo "no $id"
done | grep . || fail 'links of the book lead nowhere'
. tests/browse.sh
opens "$work/book.html"
fits "$work/book.html"
