#!/bin/sh
# Who may include whom (tensor → autograd → nn, diffusion → experiments): no chapter reads a later one. Only
# tensor/cuda sees CUDA's headers, only tensor/cpu/blas.cpp OpenBLAS. And who may call the C library's exp,
# log, pow, …, whose bits differ between machines (tensor/functions.h): only what is drawn or measured of a
# finished network's weights. Prints what breaks a rule; exit status 1 if anything does.
# shellcheck disable=SC2086  # a word for each folder
cd "$(dirname "$0")/.." || exit 1
all='tensor autograd nn diffusion experiments'
forbid() {  # folders, pattern of headers they must not include, a folder excepted
  grep -rnE "^ *# *include *[<\"]($2)" $1 ${3:+--exclude-dir="$3"}
}
door() { grep -rnE "$2" --include='*.h' --include='*.cpp' --exclude="$1" $all; }  # files, what they alone say
room() { forbid "experiments/$1" "experiments/($2)/"; }
functions='a?(cos|sin|tan)h?|atan2|exp(2|m1)?|log(2|10|1p)?|pow|hypot|cbrt|erfc?'
found=$(
  forbid tensor    '(autograd|nn|diffusion|experiments|tests)/'
  forbid autograd  '(nn|diffusion|experiments|tests)/'
  forbid nn        '(diffusion|experiments|tests)/'
  forbid diffusion '(nn|experiments|tests)/'
  forbid "$all" '(cuda|cublas)[a-z_0-9]*\.h' cuda
  forbid "$all" 'stb/' pictures
  forbid 'autograd diffusion' 'zlib|nlohmann|CLI'
  door 'blas.*' 'libopenblas|[sd]gemm_|dsyev_'
  door ranks.cpp 'mpi\.h|MPI_'
  # The rooms of chapter V: pictures, data, then run, then judge; page knows pictures only; compare sees all.
  room pictures 'data|run|judge|page|studies|compare'
  room data 'run|judge|page|studies|compare'
  room page 'data|run|judge|studies|compare'
  room run 'judge|page|studies|compare'
  room judge 'page|studies|compare'
  room studies 'compare'
  room browser 'judge|page|studies|compare'
  grep -rnE "(^|[^a-z_])(std)?::($functions)[fl]?\\(" --include=*.h --include=*.cpp --include=*.cu $all |
    grep -vE '^experiments/(bench/|page/figure.cpp|studies/synapses.cpp)'
)
[ -z "$found" ] || { echo "$found" | sed 's/^/layers: /'; exit 1; }
