// Opening cuBLAS, for tests: what opens are the functions of cublas_v2.h beside this file, by the
// list of tensor/cuda/cublas.h.
#pragma once

#include <map>
#include <string>

#include "tensor/cuda/cublas.h"

constexpr int RTLD_LAZY = 1, RTLD_LOCAL = 0;

inline void* dlopen(const char*, int) { return emulated::computer.cublas ? &emulated::computer : nullptr; }
inline void* dlsym(void*, const std::string& name) {
#define DALE_ROW(member, function) {DALE_TEXT(function), reinterpret_cast<void*>(&function)},
  static const std::map<std::string, void*> all{DALE_CUBLAS(DALE_ROW)};
  return all.at(name);
}
