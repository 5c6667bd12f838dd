// cuBLAS, opened when a device is asked for. Linked to the program, its half a gigabyte would be mapped and
// bound at every start, on computers without a GPU as well.
#pragma once

#include <cublas_v2.h>

namespace dale::cuda {

struct Cublas {
  decltype(&cublasGetStatusString) status;
  decltype(&cublasCreate) create;
  decltype(&cublasSetStream) set_stream;
  decltype(&cublasSetWorkspace) set_workspace;
  decltype(&cublasSetMathMode) set_math_mode;
#ifdef DALE_DOUBLE
  decltype(&cublasDgemmStridedBatched_64) gemm;
#else
  decltype(&cublasSgemmStridedBatched_64) gemm;
#endif
};

/// nullptr when the library of this build's version is not found (matmul.cu).
const Cublas* open_cublas();

}  // namespace dale::cuda
