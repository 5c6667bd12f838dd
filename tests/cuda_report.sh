#!/bin/sh
# What the assembler says of every CUDA kernel, as a table for each architecture:
#   cuda_report.sh NVCC "ARCHITECTURES" FLAGS…
# A block's threads are those of its launch bounds, or launch.h's; how many blocks a multiprocessor holds is
# what they, the registers and the shared memory leave room for (CUDA C++ Programming Guide, Compute
# Capabilities). A kernel that spills registers, or has few warps at work, says so here without a device.
cd "$(dirname "$0")/.." || exit 1
nvcc=$1 archs=$2
[ -n "$nvcc" ] || { echo 'cuda-report: needs nvcc 12.1 or newer, which is not here'; exit; }
shift 2
ptxas=$(dirname "$(realpath "$nvcc")")/ptxas
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
default=$(sed -n 's/^constexpr int threads = \([0-9]*\);.*/\1/p' tensor/cuda/launch.h)

for arch in $archs; do
  case $arch in  # threads, blocks and KiB of shared memory that a multiprocessor has
    80 | 87) has='2048 32 164' ;;
    86) has='1536 16 100' ;;
    90 | 100 | 103) has='2048 32 228' ;;
    *) has='1536 24 100' ;;
  esac
  for source in tensor/cuda/*.cu; do
    "$nvcc" "$@" -arch="compute_$arch" -ptx "$source" -o "$work/ptx" &&
      "$ptxas" -v -arch="sm_$arch" "$work/ptx" -o "$work/cubin" 2>"$work/said" ||
      { cat "$work/said"; echo "cuda-report: $source cannot be compiled for sm_$arch"; exit 1; } >&2
    cat "$work/ptx" "$work/said"
  done >"$work/all"
  printf '%s\n\n%s\n%s\n' "sm_$arch, shared memory and stack in bytes, spills in bytes stored and loaded:" \
    '| kernel | registers | stack | spills | shared | threads | blocks | warps of all | bound by |' \
    '|---|---|---|---|---|---|---|---|---|'
  awk -v room="$has" -v default_threads="$default" '
    function least(n, what) { if (blocks < 0 || n < blocks) { blocks = n; bound = what } }
    BEGIN { split(room, has) }
    /\.entry / { name = $NF; sub(/\(.*/, "", name) }
    /^\.maxntid/ { threads[name] = $2 + 0 }
    /Compiling entry function/ { split($0, quoted, "\047"); name = quoted[2] }
    /bytes stack frame/ { stack = $1; spills = $5 "/" $9 }
    /Used [0-9]+ registers/ {
      registers = shared = 0
      for (i = 1; i < NF; ++i) {
        if ($(i + 1) ~ /^registers/) registers = $i
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
      }
      n = name in threads ? threads[name] : default_threads
      warps = int((n + 31) / 32)
      blocks = -1
      least(int(has[1] / 32 / warps), "threads")
      least(has[2], "blocks")
      # A warp has registers by 256; warps are shared out to four schedulers.
      least(int(int(65536 / (int((registers * 32 + 255) / 256) * 256) / 4) * 4 / warps), "registers")
      # A block has shared memory by 128 bytes, and 1 KiB that CUDA keeps.
      least(int(has[3] * 1024 / (int((shared + 127) / 128) * 128 + 1024)), "shared memory")
      printf "| %s | %d | %d | %s | %d | %d | %d | %d %% | %s |\n", name, registers, stack, spills, shared, n,
             blocks, 100 * 32 * blocks * warps / has[1], bound
    }' "$work/all" | c++filt |
    sed -E 's/\(anonymous namespace\)::|dale::|cuda:://g; s/^\| void /| /; s/\([^|]*\) \|/ |/' | sort
  echo
done
