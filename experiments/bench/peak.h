// The multiply-adds a second that this machine's vector units reach at most, measured: what kernels are held
// against.
#pragma once

#include "tensor/shape.h"

namespace dale {

/// Multiply-adds of `real` that one call of multiply_add_burst makes.
Index burst_size();
/// Sums of products of registers alone, with no memory in the way. The value keeps a compiler from dropping
/// them.
double multiply_add_burst();

}  // namespace dale
