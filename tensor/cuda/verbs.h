// The CUDA machine's functions; table.cu lists them.
#pragma once

#include "tensor/kernels.h"

namespace dale::cuda {
#include "tensor/machine_functions.h"
}  // namespace dale::cuda
