#!/bin/sh
# What a reader's eye asks of every source: lines of at most 110 characters, files of at most 300 lines (those
# of tests/fixtures aside), and the layout of .clang-format where clang-format 14 is here to compare. And that
# CITATION.cff and CHANGELOG.md know the version of tensor/version.h. Prints what is not so; exit status 1 if
# anything is not.
cd "$(dirname "$0")/.." || exit 1
sources=$(find tensor autograd nn diffusion experiments examples tests .ci/run Makefile -type f \
  -regex '.*\.\(h\|cpp\|cu\|py\|sh\|mk\|js\|html\)\|.ci/run\|Makefile')
version=$(sed -n 's/.*version = "\(.*\)".*/\1/p' tensor/version.h)
# shellcheck disable=SC2086  # a word for each file
found=$(
  LC_ALL=C.UTF-8 grep -nE '^.{111}' $sources | cut -c1-110
  wc -l $sources | awk '$1 > 300 && $2 != "total" && $2 !~ "^tests/fixtures/" {print $2 ": " $1 " lines"}'
  ! command -v clang-format-14 >/dev/null ||
    clang-format-14 --dry-run $(echo "$sources" | grep -E '\.(h|cpp|cu|js)$') 2>&1 |
    sed -nE 's/^([^: ]+):.*clang-format-violations.*/\1: make format lays it out in another way/p' | uniq
  grep -qx "version: $version" CITATION.cff || echo "CITATION.cff: not version $version"
  grep -q "^## $version, " CHANGELOG.md || echo "CHANGELOG.md: nothing of version $version"
)
[ -z "$found" ] || { echo "$found" | sed 's/^/lines: /'; exit 1; }
