// The matrix units: one instruction of a warp, and the rounding of its factors (PTX
// ISA: mma.m16n8k8 with .tf32).
// Of thread t, with g = t/4 and p = t%4:
//
//   A (16×8)   a[0…3] = A[g,p], A[g+8,p], A[g,p+4], A[g+8,p+4]
//   B (8×8)    b[0…1] = B[p,g], B[p+4,g]
//   C (16×8)   c[0…3] = C[g,2p], C[g,2p+1], C[g+8,2p], C[g+8,2p+1]
#pragma once

#include "tensor/cuda/launch.h"

#ifdef DALE_EMULATED
#include "mma_tf32.h"  // tests/emulated
#else

namespace dale::cuda {

/// The nearest number of 10 bits of mantissa; of two, the one further from 0.
__device__ inline float tf32(float v) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __uint_as_float(bits);
}

/// C += A B. REQUIRES factors that tf32() made, and all 32 threads of the warp.
__device__ inline void mma(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  const auto bits = [](float v) { return __float_as_uint(v); };
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(bits(a[0])), "r"(bits(a[1])), "r"(bits(a[2])), "r"(bits(a[3])), "r"(bits(b[0])), "r"(bits(b[1])));
}

}  // namespace dale::cuda
#endif
