// Moving pictures, as animated PNG: every browser shows them, and programs that do not know of animations
// show the first frame.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

/// Pictures of one shape, each as png_bytes takes it, shown for so many milliseconds each but for the last,
/// which is shown for a second; then again, for ever. Throws std::invalid_argument for no frames, different
/// shapes, and times that 16 bits do not hold or that are 0.
std::string apng_bytes(const std::vector<Tensor>& frames, int milliseconds);

}  // namespace dale
