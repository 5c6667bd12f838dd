// The CPU machine's functions; table.cpp lists them.
#pragma once

#include "tensor/kernels.h"

namespace dale::cpu {
#include "tensor/machine_functions.h"
}  // namespace dale::cpu
