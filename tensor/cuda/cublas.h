// cuBLAS, opened when a device is asked for. Linked to the program, its half a gigabyte would be mapped and
// bound at every start, on computers without a GPU as well.
#pragma once

#include <cublas_v2.h>

namespace dale::cuda {

// The name that a header's macro makes of one: cublasCreate is cublasCreate_v2.
#define DALE_TEXT(name) DALE_TEXT_OF(name)
#define DALE_TEXT_OF(name) #name

#ifdef DALE_DOUBLE
#define DALE_GEMM cublasDgemmStridedBatched_64
#else
#define DALE_GEMM cublasSgemmStridedBatched_64
#endif
// clang-format off
// member, the library's function
#define DALE_CUBLAS(row)                                                    \
  row(status, cublasGetStatusString) row(create, cublasCreate)              \
  row(set_stream, cublasSetStream) row(set_workspace, cublasSetWorkspace)   \
  row(set_math_mode, cublasSetMathMode) row(gemm, DALE_GEMM)
#define DALE_MEMBER(member, name) decltype(&name) member;
struct Cublas { DALE_CUBLAS(DALE_MEMBER) };
// clang-format on

/// nullptr when the library of this build's version is not found (matmul.cu).
const Cublas* open_cublas();

}  // namespace dale::cuda
