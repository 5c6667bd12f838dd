// Which of the CPU machine's tables is in use, and whose matrix products it calls.
#pragma once

#include <string>
#include <vector>

namespace dale::cpu {

/// The level in use and all that this processor has, the highest first: v4 (AVX-512), v3 (AVX2), v2 (SSE4.2), or
/// generic on other processors.
std::string level();
std::vector<std::string> levels();
/// OpenBLAS's version and the processor it found.
std::string blas_description();

}  // namespace dale::cpu
