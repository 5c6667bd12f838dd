# scratch.sh, and real images but not many: DALE_DATA becomes $work/data, with 200 images of each split of
# Fashion-MNIST (the package that make deps installs). Evaluating against all takes minutes under a sanitizer.
. tests/scratch.sh
data=$("$dale" data | sed -n 's/^fashion-mnist *train *//p')
mkdir -p "$work/data/fashion-mnist"
few() {  # name, header, the byte the elements begin at, their bytes
  { printf "$2"; gzip -dc "$data/$1.gz" | tail -c +"$3" | head -c "$4"; } >"$work/data/fashion-mnist/$1"
}
for split in train t10k; do
  few $split-images-idx3-ubyte '\0\0\10\3\0\0\0\310\0\0\0\34\0\0\0\34' 17 156800
  few $split-labels-idx1-ubyte '\0\0\10\1\0\0\0\310' 9 200
done
export DALE_DATA="$work/data"
