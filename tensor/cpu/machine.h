// The CPU machine's functions, as promised in kernels.h.
#pragma once

#include "tensor/kernels.h"

namespace dale::cpu {
DALE_VERBS(DALE_FUNCTION)
}  // namespace dale::cpu
