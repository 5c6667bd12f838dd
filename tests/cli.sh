#!/bin/sh
# The command line: exit statuses, one-sentence errors, nothing half-written, the same bytes from the same seed.
build=$1
dale=$build/dale
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() {  # status, fragment of stderr, arguments…
  status=$1 fragment=$2
  shift 2
  "$dale" "$@" >"$work/out" 2>"$work/err"
  got=$?
  if [ $got -ne "$status" ] || { [ -n "$fragment" ] && ! grep -qF -- "$fragment" "$work/err"; }; then
    echo "dale $*: status $got (expected $status), expected '$fragment' in:"
    cat "$work/err"
    failures=$((failures + 1))
  fi
}

expect 0 '' --help
expect 0 '' --version
expect 0 '' info
expect 2 'subcommand is required'
expect 2 "did you mean 'train'?" trian
expect 2 "did you mean '--steps'?" train --out "$work/x" --stepz 3
expect 2 '--out is required' train
expect 2 '--checkpoint is required' sample --out "$work/x"
expect 2 "unknown data set 'fashion-mnits'; did you mean 'fashion-mnist'?" train --dataset fashion-mnits --out "$work/x"
expect 2 "unknown process 'gmb'; did you mean 'gbm'?" train --process gmb --out "$work/x"
expect 2 '--steps' train --steps 0 --out "$work/x"
expect 2 '--steps' train --steps many --out "$work/x"
expect 2 '--threads' train --threads 0 --out "$work/x"
expect 2 'multiple of 8' train --width 20 --out "$work/x"
expect 2 "unknown device 'gpu'" train --device gpu --out "$work/x"
expect 2 "unknown profile 'quik'; did you mean 'quick'?" compare --profile quik --out "$work/x"
expect 1 'nowhere.safetensors' sample --checkpoint "$work/nowhere.safetensors" --out "$work/x"
if "$dale" info | grep -q '^cuda *none'; then expect 1 'cuda' train --device cuda --out "$work/x"; fi
[ ! -e "$work/x" ] || { echo "a refused command left $work/x behind"; failures=$((failures + 1)); }
touch "$work/file"
expect 1 "$work/file" train --out "$work/file/run"
mkdir "$work/empty"
(cd "$work/empty" && DALE_DATA=$work/empty "$OLDPWD/$dale" train --dataset kmnist --out "$work/y" 2>"$work/err")
grep -qF "$work/empty" "$work/err" || { echo 'a missing data set must say where it was looked for:'; cat "$work/err"; failures=$((failures + 1)); }

# The real path on real data, where the package is installed (make deps installs it).
if "$dale" info | grep -q '^data *fashion-mnist *not found'; then
  echo 'fashion-mnist was not found: install dataset-fashion-mnist'
  exit 1
fi
"$dale" train --steps 4 --batch 16 --width 8 --seed 1 --threads 1 --out "$work/a" >/dev/null 2>&1 || failures=$((failures + 1))
"$dale" train --steps 4 --batch 16 --width 8 --seed 1 --threads 2 --out "$work/b" >/dev/null 2>&1 || failures=$((failures + 1))
cmp "$work/a/model.safetensors" "$work/b/model.safetensors" || failures=$((failures + 1))
for sampler in dale-langevin probability-flow; do
  for threads in 1 2; do
    "$dale" sample --checkpoint "$work/a/model.safetensors" --sampler $sampler --steps 3 --count 5 --seed 1 \
      --threads $threads --out "$work/$sampler$threads" >/dev/null 2>&1 || failures=$((failures + 1))
  done
  cmp "$work/${sampler}1/samples.npy" "$work/${sampler}2/samples.npy" || failures=$((failures + 1))
done
expect 2 "did you mean 'dale-langevin'?" sample --checkpoint "$work/a/model.safetensors" --sampler dale-langvin --out "$work/z"
head -c 5000 "$work/a/model.safetensors" >"$work/short.safetensors"
expect 1 "$work/short.safetensors" sample --checkpoint "$work/short.safetensors" --out "$work/z"
[ ! -e "$work/z" ] || { echo "a refused command left $work/z behind"; failures=$((failures + 1)); }
[ -z "$(find "$work" -name '*.tmp')" ] || { echo 'temporary files were left behind'; failures=$((failures + 1)); }
[ $failures -eq 0 ]
