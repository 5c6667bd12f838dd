// The one door to OpenBLAS, which level.cpp keeps to one thread.
#pragma once

#include <cblas.h>

#include "tensor/scalar.h"
#include "tensor/shape.h"

namespace dale::cpu {

/// y ← op(a) op(b) + beta y for row-major a, b, y with leading dimensions lda, ldb, ldy: op(a) is M×K, op(b)
/// K×N.
inline void gemm(bool transpose_a, bool transpose_b, Index M, Index N, Index K, const real* a, Index lda,
                 const real* b, Index ldb, real beta, real* y, Index ldy) {
  const auto ta = transpose_a ? CblasTrans : CblasNoTrans, tb = transpose_b ? CblasTrans : CblasNoTrans;
  const auto i = [](Index n) { return static_cast<blasint>(n); };
#ifdef DALE_DOUBLE
  cblas_dgemm(CblasRowMajor, ta, tb, i(M), i(N), i(K), 1, a, i(lda), b, i(ldb), beta, y, i(ldy));
#else
  cblas_sgemm(CblasRowMajor, ta, tb, i(M), i(N), i(K), 1, a, i(lda), b, i(ldb), beta, y, i(ldy));
#endif
}

}  // namespace dale::cpu
