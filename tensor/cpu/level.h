// Which of the CPU machine's tables is in use, who multiplies matrices, and what bits follow from both.
#pragma once

#include <string>
#include <vector>

namespace dale::cpu {

/// The level in use and all that this processor has, the highest first: v4 (AVX-512), v3 (AVX2), v2 (SSE4.2),
/// or generic on other processors.
std::string level();
std::vector<std::string> levels();
/// Whether the level in use rounds a b + c once: v4, v3, and generic on 64-bit Arm.
bool fused();
/// Whether DALE_PRODUCTS=openblas asks for its products in matmul, whose bits depend on the processor; the
/// default, DALE_PRODUCTS=own, is product.h.
bool products_by_openblas();
/// What the bits of a result still depend on: "fused" where they are the same on every processor, at v3, v4
/// and on 64-bit Arm; "v2" without fused multiply-adds, at that level or another; with OpenBLAS's products
/// its version and processor, too.
std::string arithmetic();

}  // namespace dale::cpu
