#!/bin/sh
# Who may include whom (tensor → autograd → nn, diffusion → experiments): no chapter reads a later one. Only
# tensor/cuda sees CUDA's headers, only tensor/cpu/blas.cpp OpenBLAS. And who may call the C library's exp,
# log, pow, …, whose bits differ between machines (tensor/functions.h): only what is drawn or measured of a
# finished network's weights. Prints what breaks a rule; exit status 1 if anything does.
cd "$(dirname "$0")/.." || exit 1
status=0
forbid() {  # folder, pattern of headers it must not include, files excepted
  hits=$(grep -rnE "^ *# *include *[<\"]($2)" "$1" ${3:+--exclude-dir="$3"}) &&
    { echo "$hits" | sed "s|^|layers: |"; status=1; }
}
forbid tensor    '(autograd|nn|diffusion|experiments|tests)/'
forbid autograd  '(nn|diffusion|experiments|tests)/'
forbid nn        '(diffusion|experiments|tests)/'
forbid diffusion '(nn|experiments|tests)/'
forbid tensor    '(cuda|cublas)[a-z_0-9]*\.h' cuda
for folder in autograd nn diffusion experiments; do
  forbid $folder '(cuda|cublas)[a-z_0-9]*\.h'
done
for folder in tensor autograd nn diffusion; do forbid $folder 'stb/'; done
forbid experiments 'stb/' pictures
! grep -rnE 'libopenblas|[sd]gemm_|dsyev_' --include='*.h' --include='*.cpp' --exclude=blas.cpp \
  --exclude=blas.h tensor autograd nn diffusion experiments ||
  { echo 'layers: tensor/cpu/blas.h is the one door to OpenBLAS'; status=1; }
! grep -rnE 'mpi\.h|MPI_' --include='*.h' --include='*.cpp' --exclude=ranks.cpp \
  tensor autograd nn diffusion experiments ||
  { echo 'layers: experiments/run/ranks.cpp is the one door to MPI'; status=1; }
# The rooms of chapter V: pictures, data, then run, then judge; page knows pictures only; compare sees all.
rooms() { forbid "experiments/$1" "experiments/($2)/"; }
rooms pictures 'data|run|judge|page|studies|compare'
rooms data 'run|judge|page|studies|compare'
rooms page 'data|run|judge|studies|compare'
rooms run 'judge|page|studies|compare'
rooms judge 'page|studies|compare'
rooms studies 'compare'
rooms browser 'judge|page|studies|compare'
for folder in autograd diffusion; do forbid $folder 'zlib|nlohmann|CLI'; done
functions='a?(cos|sin|tan)h?|atan2|exp(2|m1)?|log(2|10|1p)?|pow|hypot|cbrt|erfc?'
hits=$(grep -rnE "(^|[^a-z_])(std)?::($functions)[fl]?\\(" \
       --include=*.h --include=*.cpp --include=*.cu tensor autograd nn diffusion experiments |
       grep -vE '^experiments/(bench/|page/figure.cpp|studies/synapses.cpp)') &&
  { echo "$hits" | sed 's|^|layers: |'; status=1; }
exit $status
