// Which of the CPU machine's tables is in use, and whose matrix products it calls.
#pragma once

#include <string>

namespace dale::cpu {

/// The level's name: v4 (AVX-512), v3 (AVX2 and FMA), v2 (SSE4.2), or generic on other processors.
std::string level();
/// OpenBLAS's version and the processor it found.
std::string blas_description();

}  // namespace dale::cpu
