#!/bin/sh
# Who may include whom (tensor → autograd → nn, diffusion → experiments): no chapter reads a later one. Only tensor/cpu
# sees cblas.h, only tensor/cuda CUDA's headers. Prints what breaks the rule; exit status 1 if anything does.
cd "$(dirname "$0")/.." || exit 1
status=0
forbid() {  # folder, pattern of headers it must not include, files excepted
  hits=$(grep -rnE "^ *# *include *[<\"]($2)" "$1" ${3:+--exclude-dir="$3"}) && { echo "$hits" | sed "s|^|layers: |"; status=1; }
}
forbid tensor    '(autograd|nn|diffusion|experiments|tests)/'
forbid autograd  '(nn|diffusion|experiments|tests)/'
forbid nn        '(diffusion|experiments|tests)/'
forbid diffusion '(nn|experiments|tests)/'
forbid tensor    'cblas' cpu
forbid tensor    '(cuda|cublas)[a-z_0-9]*\.h' cuda
for folder in autograd nn diffusion experiments; do
  forbid $folder 'cblas|(cuda|cublas)[a-z_0-9]*\.h|stb/'
done
for folder in autograd diffusion; do forbid $folder 'zlib|nlohmann|CLI'; done
exit $status
