#include "experiments/info.h"

#include <fmt/ranges.h>

#include "experiments/data/dataset.h"
#include "experiments/run/ranks.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/level.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cuda/machine.h"
#include "tensor/random.h"
#include "tensor/version.h"

namespace dale {

std::string build_info() {
#if defined(__clang__)
  const std::string compiler = fmt::format("clang {}.{}", __clang_major__, __clang_minor__);
#else
  const std::string compiler = fmt::format("gcc {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
  std::string out = fmt::format("dale      {}, {} bytes per real, {}, random stream {}\n", version,
                                sizeof(real), compiler, random_stream_version);
  out += fmt::format("cpu       {} threads\n", threads());
  out += fmt::format("kernels   {} of {}\n", cpu::level(), fmt::join(cpu::levels(), " "));
  out += fmt::format("ranks     {}\n", ranks_description());
  out += fmt::format("products  {}; of metrics {}\n",
                     cpu::products_by_openblas() ? "OpenBLAS's in matmul, whose bits depend on the processor"
                     : cpu::fused()              ? "own, the same bits at v3, v4 and on 64-bit Arm"
                                    : "own, without fused multiply-adds: other bits than at v3 and v4",
                     blas::description());
  const std::string missing = cuda_missing();
  return out + fmt::format("cuda      {}\n", missing.empty() ? cuda_description() : "none: " + missing);
}

std::string info(const std::string& data_option) {
  std::string out = build_info();
  for (const std::string& name : known_names()) {
    const auto folder = find_dataset(name, data_option);
    out += fmt::format("data      {:<14}{}\n", name, folder ? folder->string() : "not found");
  }
  out += "          looked for in";
  for (const auto& folder : dataset_folders(data_option)) out += " " + folder.string();
  return out + "\n";
}

}  // namespace dale
