#!/bin/sh
# The command line: exit statuses, one-sentence errors, nothing half-written, the same bytes from the same
# seed.
unset DALE_DATA  # what the user has must not change what is tested
. tests/scratch.sh
left() { [ ! -e "$1" ] || fail "a refused command left $1 behind"; }
small='--steps 4 --batch 16 --width 8 --seed 1'  # a run; the words are the options

# What is said of options for which there is no run, or no samples.
train_says() { said=$1; shift; expect 2 "$said" train "$@" --out "$work/x"; }
sample_says() { said=$1; shift; expect 2 "$said" sample --checkpoint "$model" "$@" --out "$work/z"; }

does --help
does --version
does info
expect 2 'subcommand is required'
expect 2 "did you mean 'train'?" trian
expect 2 "did you mean '--steps'?" train --out "$work/x" --stepz 3
expect 2 '--resume does nothing without --out, which says what to continue' train --resume
expect 2 '--resume does nothing without --out, which says what to continue' sample --resume
does help
grep -q 'the training runs below a folder' "$work/out" || fail 'help lists the commands'
does help train
grep -q -- '--sample-every' "$work/out" || fail 'help lists the options of a command'
expect 2 "unknown command 'trian'" help trian
expect 2 '--mask requires --inpaint' sample --mask "$work/mask.png" --out "$work/x"
expect 2 '--samples is required' evaluate
expect 2 '--out is required' train-classifier
train_says "unknown data set 'fashion-mnits'; did you mean 'fashion-mnist'?" --dataset fashion-mnits
train_says "unknown process 'gmb'; did you mean 'gbm'?" --process gmb
train_says '--steps = many; expected a number' --steps many
train_says '--threads: Value 0 not in range' --threads 0
train_says 'the number of images per batch is 0' --batch 0
train_says '-1 is no whole number from 0 to 2^64 - 1' --seed -1
train_says '18446744073709551616 is no whole number' --seed 18446744073709551616
train_says '--lr = fast; expected a number' --lr fast
train_says 'the number of warm-up steps is -1; it must be at least 0' --warmup -1
train_says 'the largest norm of the gradient is -1; it must be positive' --clip -1
train_says "mean of the noise levels' logarithm is inf; it must be finite" --level-mean inf
train_says "deviation of the noise levels' logarithm is 0; it must be positive" --level-deviation 0
train_says 'average is 1; it must be in [0, 1)' --ema 1
train_says "unknown decay 'cosin'; did you mean 'cosine'?" --decay cosin
train_says 'between checkpoints is 0; it must be at least 1' --checkpoint-every 0
train_says '--label-dropout does nothing without --classes' --label-dropout 0.2
train_says '--level-mean does nothing for the process vp' --process vp --level-mean 0
expect 2 '--stall does nothing without --fetch' data --stall 3
expect 2 'the name of the folder is empty' train --out ''
train_says "unknown optimizer 'sgd'" --optimizer sgd
train_says "unknown device 'gpu'" --device gpu
expect 2 '--stall: Value 0 not in range' data --fetch mnist --stall 0
expect 1 'by hand, put it there from elsewhere' \
  data --fetch mnist --data "$work/data" --mirror http://127.0.0.1:1/
expect 2 "unknown profile 'quik'; did you mean 'quick'?" compare --profile quik --out "$work/x"
expect 1 'nowhere.safetensors' sample --checkpoint "$work/nowhere.safetensors" --out "$work/x"
train_says 'add --device cuda' --precision tf32
train_says "unknown precision 'half'" --precision half
if "$dale" info | grep -q '^cuda *none'; then expect 1 'cuda' train --device cuda --out "$work/x"; fi
left "$work/x"
touch "$work/file"
expect 1 "$work/file" train --out "$work/file/run"
mkdir "$work/empty"
# Where it looked for a data set.
under "env -C $work/empty DALE_DATA=$work/empty" 1 "$work/empty" train --dataset kmnist --out "$work/y"

# The real path on real data, where the package is installed (make deps installs it).
if "$dale" info | grep -q '^data *fashion-mnist *not found'; then
  echo 'fashion-mnist was not found: install dataset-fashion-mnist'
  exit 1
fi
does train $small --threads 1 --out "$work/a"
does train $small --threads 2 --out "$work/b"
same a/model.safetensors b/model.safetensors
# Whatever OpenBLAS takes the processor for, and at every level that has fused multiply-adds.
for way in OPENBLAS_CORETYPE=Prescott OPENBLAS_CORETYPE=Haswell OPENBLAS_CORETYPE=SkylakeX \
  $("$dale" info | sed -n 's/^kernels *[^ ]* of //p' | tr ' ' '\n' | sed '/^v2$/d; s/^/DALE_LEVEL=/'); do
  under "env $way" 0 '' train $small --out "$work/$way"
  same a/model.safetensors "$way/model.safetensors"
done
if "$dale" info | grep -q '^kernels .* of .*v3 v2'; then
  under 'env DALE_LEVEL=v2' 2 'was made with arithmetic = "fused", not "v2"' \
    train --resume $small --out "$work/a"
fi
under 'env DALE_PRODUCTS=mkl' 2 "unknown DALE_PRODUCTS 'mkl'" info
does train --resume $small --out "$work/a"
same a/model.safetensors b/model.safetensors
for signal in INT:130 TERM:143; do  # is seen after the step it falls into
  out=$work/${signal%:*}
  "$dale" train --steps 100000 --batch 4 --width 8 --out "$out" 2>"$work/err" &
  run=$!
  until grep -q '^2,' "$out/metrics.csv" 2>/dev/null || ! kill -0 $run 2>/dev/null; do sleep 0.05; done
  kill -"${signal%:*}" $run
  wait $run
  [ $? -eq "${signal#*:}" ] && grep -q "stopped by SIG${signal%:*} after step" "$work/err" &&
    [ -n "$(ls "$out" | grep checkpoint)" ] || fail "SIG${signal%:*}"
done
model="$work/a/model.safetensors"
sample_says 'noise levels need 0 < s_min < s_max' --s-min nan
sample_says 'noise levels need 0 < s_min < s_max' --s-max 0
sample_says '--s-max are 1e+30 and 40 deviations of the data' --s-min 1e30
sample_says '--eta does nothing for the sampler ddim' --sampler ddim --eta 1
sample_says '--annealed does nothing for the sampler eta' --sampler eta --annealed
sample_says "the paper's constants are of" --sampler dale-langevin --annealed
sample_says '--guidance does nothing without --classes' --guidance 2
sample_says '--sigma does nothing for the sampler dale-langevin' --sampler dale-langevin --sigma 1
sample_says 'for the sampler eta on the grid uniform' --sampler eta --grid uniform --s-max 9
sample_says "unknown grid 'even'" --sampler eta --grid even
expect 1 'out of cpu memory: asked for' sample --checkpoint "$model" --count 1000000000 --out "$work/z"
expect 2 '--count: Value 0 not in range' likelihood --checkpoint "$model" --count 0
sample_says "did you mean 'dale-langevin'?" --sampler dale-langvin
sample_says '--checkpoint excludes --dataset' --dataset mnist
for again in '' -2; do  # where results go that have no --out
  under "env -C $work" 0 '' train --steps 1e0 --batch 4 --width 8
  ls "$work"/runs/fashion-mnist-gbm-20??-??-??$again/model.safetensors >/dev/null || fail "no run$again"
done
does runs "$work/runs"
[ "$(grep -c '1 steps of 4 images' "$work/out")" = 2 ] || fail 'runs lists both'
expect 1 'holds no training run (metrics.csv) and no comparison (comparison.json)' report "$work"
expect 2 '--width does nothing with --from' train --from "$model" --width 8
does sample --classes dress,7 --steps 2 --count 2 --out "$work/dressed"
does sample --dataset mnist --count 2 --out "$work/digits"
expect 1 "consistency-kmnist.safetensors is not among what comes" sample --dataset kmnist --out "$work/z"
does evaluate --samples "$work/digits/samples.npy" --dataset rain
grep -q 'quantile 50 %' "$work/out" || fail 'evaluation without a classifier'
expect 1 'as the embedding pixels takes them; the first, at (0,0,0,0)' train --dataset rain --out "$work/z"
expect 2 '--training-seeds does nothing for the study exact' study exact --training-seeds 2 --out "$work/z"
head -c 5000 "$work/a/model.safetensors" >"$work/short.safetensors"
expect 1 "$work/short.safetensors" sample --checkpoint "$work/short.safetensors" --out "$work/z"
left "$work/z"
[ -z "$(find "$work" -name '*.tmp')" ] || fail 'temporary files were left behind'
