// Opening cuBLAS, for tests: what opens are the functions of cublas_v2.h beside this file.
#pragma once

#include <map>
#include <string>

#include "tests/emulated/cublas_v2.h"

constexpr int RTLD_LAZY = 1, RTLD_LOCAL = 0;

inline void* dlopen(const char*, int) { return emulated::computer.cublas ? &emulated::computer : nullptr; }
inline void* dlsym(void*, const std::string& name) {
#define DALE_ROW(function) \
  { #function, reinterpret_cast < void*>(&function) }
  static const std::map<std::string, void*> all{DALE_ROW(cublasGetStatusString),
                                                DALE_ROW(cublasCreate),
                                                DALE_ROW(cublasSetStream),
                                                DALE_ROW(cublasSetWorkspace),
                                                DALE_ROW(cublasSetMathMode),
                                                DALE_ROW(cublasSgemmStridedBatched_64),
                                                DALE_ROW(cublasDgemmStridedBatched_64)};
#undef DALE_ROW
  return all.at(name);
}
