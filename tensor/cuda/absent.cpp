// The CUDA machine of a build without nvcc: it answers every question with one sentence. The Makefile
// compiles either this file or the .cu files beside it, never both.
#include "tensor/cuda/machine.h"
#include "tensor/cuda/missing.h"
#include "tensor/kernels.h"

namespace dale {
namespace {

[[noreturn]] void absent() { failed("{}", cuda_missing()); }

}  // namespace

std::string cuda_missing() {
  return "this build has no CUDA (made without nvcc, or with CUDA=0): install the CUDA Toolkit, then "
         "make clean && make";
}

std::string cuda_description() { absent(); }
CudaProducts cuda_products() { absent(); }
void cuda_set_products(CudaProducts) { absent(); }
void* cuda_allocate(std::size_t) { absent(); }
void cuda_free(void*) { absent(); }
void cuda_transfer(void*, const void*, std::size_t, Transfer) { absent(); }
void cuda_synchronize() { absent(); }
std::shared_ptr<void> cuda_record(const std::function<void()>&) { absent(); }
bool cuda_recording() { return false; }
void cuda_replay(void*) { absent(); }

using cuda::missing;

constexpr Kernels table{.fill = missing<"fill">,
                        .unary = missing<"unary">,
                        .binary = missing<"binary">,
                        .copy = missing<"copy">,
                        .copy_int = missing<"copy_int">,
                        .reduce = missing<"reduce">,
                        .matmul = missing<"matmul">,
                        .conv2d = missing<"conv2d">,
                        .conv2d_input = missing<"conv2d_input">,
                        .conv2d_weight = missing<"conv2d_weight">,
                        .gather = missing<"gather">,
                        .scatter_add = missing<"scatter_add">,
                        .random = missing<"random">,
                        .group_norm = missing<"group_norm">,
                        .group_norm_gradient = missing<"group_norm_gradient">,
                        .squared_norms = missing<"squared_norms">,
                        .adam = missing<"adam">,
                        .lerp = missing<"lerp">};
static_assert(complete(table), "a verb of tensor/kernels.h has no entry in the absent machine's table");

const Kernels cuda_kernels = table;

}  // namespace dale
