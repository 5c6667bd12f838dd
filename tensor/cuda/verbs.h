// The CUDA machine's functions, as promised in kernels.h.
#pragma once

#include "tensor/kernels.h"

namespace dale::cuda {
DALE_VERBS(DALE_FUNCTION)
}  // namespace dale::cuda
