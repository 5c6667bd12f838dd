// The CUDA machine: one constant table.
#include "tensor/cuda/launch.h"

namespace dale {

#define DALE_ENTRY(verb) .verb = cuda::verb,
constinit const Kernels cuda_kernels{DALE_VERBS(DALE_ENTRY)};

}  // namespace dale
