// Lanes: as many numbers as the widest vector register of the level at hand holds. GCC and clang turn
// arithmetic on them into vector instructions of any processor, so kernels name none.
#pragma once

#include <cstring>

#include "tensor/kernels.h"

namespace dale::cpu {

#if defined(__AVX512F__)
constexpr Index register_bytes = 64, registers = 32;
#elif defined(__AVX__)
constexpr Index register_bytes = 32, registers = 16;
#elif defined(__aarch64__)
constexpr Index register_bytes = 16, registers = 32;
#else
constexpr Index register_bytes = 16, registers = 16;
#endif

using Lanes [[gnu::vector_size(register_bytes)]] = real;
constexpr Index lanes = register_bytes / static_cast<Index>(sizeof(real));

/// n rounded up to whole registers.
constexpr Index whole_lanes(Index n) { return (n + lanes - 1) / lanes * lanes; }

inline Lanes load(const real* from) {
  Lanes v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
inline void store(real* to, const Lanes& v) { std::memcpy(to, &v, sizeof v); }

/// The same for the n ≥ 1 numbers that are there: the lanes beyond are 0, and are not written.
inline Lanes load(const real* from, Index n) {
  if (n >= lanes) return load(from);
  Lanes v{};
  std::memcpy(&v, from, static_cast<std::size_t>(n) * sizeof(real));
  return v;
}
inline void store(real* to, const Lanes& v, Index n) {
  std::memcpy(to, &v, static_cast<std::size_t>(std::min(n, lanes)) * sizeof(real));
}

}  // namespace dale::cpu
