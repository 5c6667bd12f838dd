// The products that tensor/cuda asks of cuBLAS, answered by OpenBLAS, for tests.
#pragma once

#include <cblas.h>

#include "tests/emulated/cuda_runtime.h"

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS };
enum cublasOperation_t { CUBLAS_OP_N = CblasNoTrans, CUBLAS_OP_T = CblasTrans };
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
                    std::int64_t n, std::int64_t k, const T* alpha_, const T* a, std::int64_t lda,
                    std::int64_t sa, const T* b, std::int64_t ldb, std::int64_t sb, const T* beta_, T* c,
                    std::int64_t ldc, std::int64_t sc, std::int64_t batch) {
  submit([=, alpha = *alpha_, beta = *beta_] {
    const auto i = [](std::int64_t v) { return static_cast<blasint>(v); };
    for (std::int64_t j = 0; j < batch; ++j)
      if constexpr (sizeof(T) == 4)
        cblas_sgemm(CblasColMajor, CBLAS_TRANSPOSE(ta), CBLAS_TRANSPOSE(tb), i(m), i(n), i(k), alpha,
                    a + j * sa, i(lda), b + j * sb, i(ldb), beta, c + j * sc, i(ldc));
      else
        cblas_dgemm(CblasColMajor, CBLAS_TRANSPOSE(ta), CBLAS_TRANSPOSE(tb), i(m), i(n), i(k), alpha,
                    a + j * sa, i(lda), b + j * sb, i(ldb), beta, c + j * sc, i(ldc));
  });
  return CUBLAS_STATUS_SUCCESS;
}
}  // namespace emulated

constexpr auto& cublasSgemmStridedBatched_64 = emulated::gemm<float>;
constexpr auto& cublasDgemmStridedBatched_64 = emulated::gemm<double>;
