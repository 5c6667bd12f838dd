// The CUDA machine of a build without nvcc: it answers every question with one sentence. The Makefile
// compiles either this file or the .cu files beside it, never both.
#include "tensor/cuda/machine.h"
#include "tensor/kernels.h"

namespace dale {
namespace {

/// For every function and every entry of the table, whose signature says what Args are.
template <class... Args> [[noreturn]] void absent(Args...) { failed("{}", cuda_missing()); }

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

#define DALE_ENTRY(verb) .verb = absent,
constinit const Kernels cuda_kernels{DALE_VERBS(DALE_ENTRY)};

}  // namespace dale
