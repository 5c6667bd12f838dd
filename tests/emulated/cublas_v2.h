// The products that tensor/cuda asks of cuBLAS, answered by OpenBLAS, for tests.
#pragma once

#include "tensor/cpu/blas.h"
#include "tests/emulated/cuda_runtime.h"

#define CUBLAS_VER_MAJOR 13
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasMath_t { CUBLAS_DEFAULT_MATH, CUBLAS_TF32_TENSOR_OP_MATH };
using cublasHandle_t = int*;

inline const char* cublasGetStatusString(cublasStatus_t) { return "an error of the emulated cuBLAS"; }
inline cublasStatus_t cublasCreate(cublasHandle_t* h) { return *h = new int, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetStream(cublasHandle_t, cudaStream_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, std::size_t) { return CUBLAS_STATUS_SUCCESS; }

namespace emulated {
template <class T>
cublasStatus_t gemm(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, std::int64_t m,
                    std::int64_t n, std::int64_t k, const T* alpha, const T* a, std::int64_t lda,
                    std::int64_t sa, const T* b, std::int64_t ldb, std::int64_t sb, const T* beta, T* c,
                    std::int64_t ldc, std::int64_t sc, std::int64_t batch) {
  if (*alpha != 1 || *beta != 0)
    throw std::logic_error("the emulated cuBLAS knows alpha = 1 and beta = 0 only");
  dale::blas::require();
  const std::int64_t read = (sa ? batch : 1) * m * k + (sb ? batch : 1) * k * n;
  submit(gemm<T>, sizeof(T) * static_cast<std::size_t>(read + batch * m * n),
         [=] {  // by columns c = a b is, by rows, cᵀ = bᵀ aᵀ
           for (std::int64_t j = 0; j < batch; ++j)
             dale::blas::product(tb == CUBLAS_OP_T, ta == CUBLAS_OP_T, n, m, k, b + j * sb, ldb, a + j * sa,
                                 lda, c + j * sc, ldc);
         });
  return CUBLAS_STATUS_SUCCESS;
}
}  // namespace emulated

inline constexpr auto& cublasSgemmStridedBatched_64 = emulated::gemm<float>;
inline constexpr auto& cublasDgemmStridedBatched_64 = emulated::gemm<double>;
