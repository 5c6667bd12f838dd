#!/bin/sh
# A README command where nothing was ever installed, so that no missing step can hide: on a bare Debian 12 or
# 13, which has git, make and g++ and lies in a folder, HEAD is cloned and made.
#   tests/bare.sh 12|13 TARGET…                                  make -j TARGET… there
#   WITH=clang tests/bare.sh 13 CXX=clang++ test                 with more packages
#   tests/bare.sh 12 'deps && make -j && build/dale info'        and what follows
# As root, with debootstrap. The bare systems are kept in $BARE, /tmp/dale-bare by default; every run has a
# copy of one, and removes it. The exit status is the command's.
set -e
cd "$(dirname "$0")/.."
fail() { echo "bare.sh: $1" >&2; exit 2; }
case $1 in
  12) suite=bookworm ;;
  13) suite=trixie ;;
  *) fail 'usage: tests/bare.sh 12|13 TARGET…' ;;
esac
shift
[ $# -gt 0 ] || fail 'which target?'
[ "$(id -u)" = 0 ] || fail 'only root can make a system'
bare=${BARE:-${TMPDIR:-/tmp}/dale-bare}
base=$bare/$suite
mkdir -p "$bare"

if [ ! -d "$base" ]; then
  command -v debootstrap >/dev/null || fail 'debootstrap is not here: apt-get install debootstrap'
  # The mirror is the one that apt uses here, and is reached as apt reaches it.
  # shellcheck disable=SC2016  # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -1)
  [ -n "$mirror" ] || fail "apt knows no mirror of Debian's: apt-get update"
  rm -rf "$base.part"
  debootstrap --variant=minbase --include=git,make,g++ "$suite" "$base.part" "$mirror" >"$bare/log" 2>&1 ||
    { tail -n 5 "$bare/log" >&2; fail 'debootstrap failed'; }
  { apt-config dump Acquire; echo 'Dpkg::Use-Pty "0";'; } >"$base.part/etc/apt/apt.conf.d/99host"
  case $mirror in https:*) cp -L --parents /etc/ssl/certs/ca-certificates.crt "$base.part" ;; esac
  mv "$base.part" "$base"  # last, so that half a system is never taken for one
fi

root=$(mktemp -d "$base-XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
cp -a "$base/." "$root"
git clone -q . "$root/root/dale"
# A name space of its own: its mounts and processes end with the command, however it ends.
inside() {
  # shellcheck disable=SC2046  # a word for each proxy
  unshare --mount --pid --fork --kill-child --root="$root" --wd=/root/dale --mount-proc \
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin $(env | grep -i '^[a-z]*_proxy=') "$@"
}
[ -z "$WITH" ] || inside sh -c "apt-get update -qq && apt-get install -y -qq $WITH"
inside sh -c "make -j $*"
