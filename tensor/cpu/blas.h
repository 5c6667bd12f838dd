// The one door to OpenBLAS, which is opened when it is first asked for: loaded with the program it would
// start threads and take memory in every run, and few need it. It does the algebra of the metrics in double,
// and what DALE_PRODUCTS=openblas asks of it; the products of a model are our own (product.h).
#pragma once

#include <string>

#include "tensor/shape.h"

namespace dale::blas {

/// Throws std::runtime_error, with the package to install, when there is no OpenBLAS.
void require();

/// y (M,N) ← op(a) op(b), row-major with rows lda, ldb, ldy numbers apart: op(a) is M×K, op(b) K×N. One
/// thread. REQUIRES T float or double and, here and below, that require() did not throw.
template <class T>
void product(bool transpose_a, bool transpose_b, Index M, Index N, Index K, const T* a, Index lda, const T* b,
             Index ldb, T* y, Index ldy);

/// The n eigenvalues of a symmetric matrix (n,n), ascending; `matrix` becomes its eigenvectors, as rows.
/// Throws std::runtime_error when LAPACK's dsyev finds none.
void eigen(Index n, double* matrix, double* values);

/// Its version, and the processor whose kernels it chose; or that it is not installed.
std::string description();

}  // namespace dale::blas
