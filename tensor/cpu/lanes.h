// Lanes: as many numbers as the widest vector register of the level at hand holds. GCC and clang turn
// arithmetic on them into vector instructions of any processor, so kernels name none.
#pragma once

#include <cmath>
#include <cstring>

#include "tensor/kernels.h"

namespace dale::cpu {

#if defined(__AVX512F__)
constexpr Index register_bytes = 64;
#elif defined(__AVX__)
constexpr Index register_bytes = 32;
#else
constexpr Index register_bytes = 16;
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

/// x in every lane.
inline Lanes splat(real x) { return x - Lanes{}; }

/// a b + c, rounded once, where the processor has fused multiply-adds; rounded twice at level v2.
inline Lanes multiply_add(const Lanes& a, const Lanes& b, const Lanes& c) {
#if defined(__FMA__) || defined(__aarch64__)
  Lanes sum;
  for (Index l = 0; l < lanes; ++l) sum[l] = std::fma(a[l], b[l], c[l]);  // compiles to one instruction
  return sum;
#else
  return a * b + c;
#endif
}

// The next loop, whose bounds are constants, is written out, so that the arrays it indexes are registers.
#define DALE_UNROLL _Pragma("GCC unroll 16")

/// What is left of a row after its whole registers: n < lanes numbers. Lanes beyond are read as 0 and not
/// written.
struct Rest {
  Index n;
};
struct Whole {};
inline Lanes load(const real* from, Whole) { return load(from); }
inline void store(real* to, const Lanes& v, Whole) { store(to, v); }
inline Lanes load(const real* from, Rest rest) {
  Lanes v{};
  std::memcpy(&v, from, static_cast<std::size_t>(rest.n) * sizeof(real));
  return v;
}
inline void store(real* to, const Lanes& v, Rest rest) {
  std::memcpy(to, &v, static_cast<std::size_t>(rest.n) * sizeof(real));
}

/// Calls f(c, Whole) for c = 0, lanes, … and f(c, Rest) for what is left of n numbers.
template <class F> inline void for_lanes(Index n, const F& f) {
  Index c = 0;
  for (; c + lanes <= n; c += lanes) f(c, Whole{});
  if (c < n) f(c, Rest{n - c});
}

}  // namespace dale::cpu
