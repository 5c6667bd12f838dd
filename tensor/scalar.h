// Every scalar formula of the project, once, for both machines and both floating types.
//
// exp, log, sin and cos are written out for float: branch-free polynomials, so that a loop over them becomes
// vector code, and both machines give the same bits (nothing here is contracted to a fused multiply-add; the
// Makefile says so to both compilers). The double build is for checking gradients and takes the C library's.
//
// The tables below are the vocabulary of the map verbs (kernels.h). To add an elementwise formula is to add a
// row.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define DALE_BOTH __host__ __device__ inline
#else
#define DALE_BOTH inline
#endif

namespace dale {

#ifdef DALE_DOUBLE
using real = double;
#else
using real = float;
#endif

namespace scalar {

/// eˣ = 2ⁿ (1 + p) with n = round(x / ln 2), r = x − n ln 2, |r| ≤ ½ ln 2, and p = eʳ − 1 by Taylor's
/// polynomial of degree 7, which leaves 5e-9. 2ⁿ comes as two factors, so that results pass through
/// subnormals to 0 and through the largest float to ∞.
struct ExpParts {
  float p, scale1, scale2;
};
DALE_BOTH ExpParts exp_parts(float x) {
  x = x > 90.0f ? 90.0f : x;  // comparisons with NaN are false: NaN passes through
  x = x < -105.0f ? -105.0f : x;
  const float shift = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer, kept in the low bits
  const float shifted = x * 1.44269504f + shift;
  const float n = shifted - shift;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts; the first product is exact
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = (p * r) * r + r;
  const std::int32_t k = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(shift);
  const std::int32_t half = k >> 1;
  const float scale1 = std::bit_cast<float>(static_cast<std::uint32_t>(half + 127) << 23);
  const float scale2 = std::bit_cast<float>(static_cast<std::uint32_t>(k - half + 127) << 23);
  return {p, scale1, scale2};
}
DALE_BOTH float exp(float x) {
  const ExpParts e = exp_parts(x);
  return (e.p + 1.0f) * e.scale1 * e.scale2;
}
/// eˣ − 1 = 2ⁿ p + (2ⁿ − 1), without cancellation near 0.
DALE_BOTH float expm1(float x) {
  const ExpParts e = exp_parts(x);
  const float scale = e.scale1 * e.scale2;
  const float small = e.p * scale + (scale - 1.0f), large = (e.p + 1.0f) * e.scale1 * e.scale2;
  return x > 40.0f ? large : small;
}

/// log x = n ln 2 + 2 artanh f with x = 2ⁿ m, √½ ≤ m < √2, f = (m − 1)/(m + 1), |f| < 0.172: the series
/// 2(f + f³/3 + … + f⁹/9) leaves 2e-9 of it. log 0 = −∞, log of a negative number is NaN.
DALE_BOTH float log(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float normal = tiny ? x * 8388608.0f : x;  // lift subnormals by 2²³
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(normal) - 0x3f3504f3u;  // bits of √½
  const std::int32_t n = static_cast<std::int32_t>(bits) >> 23;
  const float m = std::bit_cast<float>((bits & 0x7fffffu) + 0x3f3504f3u);
  const float exponent = static_cast<float>(n) - (tiny ? 23.0f : 0.0f);
  const float f = (m - 1.0f) / (m + 1.0f), f2 = f * f;
  const float series = f2 * (1.0f / 3 + f2 * (1.0f / 5 + f2 * (1.0f / 7 + f2 * (1.0f / 9))));
  const float value = exponent * 0.693359375f + (2.0f * (f + f * series) + exponent * -2.12194440e-4f);
  const float infinity = std::bit_cast<float>(0x7f800000);
  float out = x < infinity ? value : x;  // ∞ and NaN stay
  out = x == 0.0f ? -infinity : out;
  return x < 0.0f ? std::bit_cast<float>(0x7fc00000) : out;
}

/// log(1 + x): with u = 1 + x rounded, log(u) x/(u − 1) undoes the rounding.
DALE_BOTH float log1p(float x) {
  const float u = 1.0f + x, d = u - 1.0f;
  const float value = log(u) * (x / (d == 0.0f ? 1.0f : d));
  return d == 0.0f || !(x < std::bit_cast<float>(0x7f800000)) ? x : value;
}

/// sin and cos of a quarter turn at most, |r| ≤ π/4, by Taylor's series to r⁹ and r¹⁰: 2e-9.
DALE_BOTH float sin_small(float r) {
  const float r2 = r * r;
  return r + r * r2 * (-1.0f / 6 + r2 * (1.0f / 120 + r2 * (-1.0f / 5040 + r2 * (1.0f / 362880))));
}
DALE_BOTH float cos_small(float r) {
  const float r2 = r * r;
  return 1.0f + r2 * (-0.5f + r2 * (1.0f / 24 + r2 * (-1.0f / 720 + r2 * (1.0f / 40320 - r2 * (1.0f / 3628800)))));
}

/// sin(r + q π/2) for the quadrant q.
DALE_BOTH float sin_quadrant(float r, std::int32_t q) {
  const float v = (q & 1) ? cos_small(r) : sin_small(r);
  return (q & 2) ? -v : v;
}

/// sin(x + q π/2). The quadrant is taken off in double precision: good to 2 ε for |x| < 1e6, where it stops
/// being better than noise for a float argument anyway; NaN beyond 2³⁰ quadrants.
DALE_BOTH float sin_shifted(float x, std::int32_t q) {
  const double shift = 6755399441055744.0;  // 1.5·2⁵²
  const double shifted = x * 0.6366197723675814 + shift;
  const double n = shifted - shift;
  const float r = static_cast<float>(x - n * 1.5707963267948966);
  const std::int32_t quadrant = static_cast<std::int32_t>(std::bit_cast<std::int64_t>(shifted));
  const bool in_range = n < 1073741824.0 && n > -1073741824.0;
  return in_range ? sin_quadrant(r, quadrant + q) : std::bit_cast<float>(0x7fc00000);
}
DALE_BOTH float sin(float x) { return sin_shifted(x, 0); }
DALE_BOTH float cos(float x) { return sin_shifted(x, 1); }

DALE_BOTH double exp(double x) { return ::exp(x); }
DALE_BOTH double log(double x) { return ::log(x); }
DALE_BOTH double sin(double x) { return ::sin(x); }
DALE_BOTH double cos(double x) { return ::cos(x); }
DALE_BOTH double expm1(double x) { return ::expm1(x); }
DALE_BOTH double log1p(double x) { return ::log1p(x); }
DALE_BOTH float sqrt(float x) { return ::sqrtf(x); }
DALE_BOTH double sqrt(double x) { return ::sqrt(x); }
DALE_BOTH float erf(float x) { return ::erff(x); }
DALE_BOTH double erf(double x) { return ::erf(x); }
DALE_BOTH float power(float x, float p) { return ::powf(x, p); }
DALE_BOTH double power(double x, double p) { return ::pow(x, p); }
template <class T>
DALE_BOTH T abs(T x) {
  return x < T(0) ? -x : x == T(0) ? T(0) : x;  // |−0| = 0; NaN stays
}

/// tanh |x| = −e/(e + 2) with e = e^{−2|x|} − 1 ∈ (−1, 0]: nothing overflows.
template <class T>
DALE_BOTH T tanh(T x) {
  const T e = expm1(T(-2) * abs(x)), y = -e / (e + T(2));
  return x < T(0) ? -y : y;
}
/// log(1 + eˣ) = max(x, 0) + log(1 + e^{−|x|})
template <class T>
DALE_BOTH T softplus(T x) {
  return (x < T(0) ? T(0) : x) + log1p(exp(-abs(x)));
}

template <class T>
DALE_BOTH T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}
/// d/dx [x σ(x)] = σ(x) (1 + x (1 − σ(x))), whose limits at ±∞ are 1 and 0.
template <class T>
DALE_BOTH T silu_slope(T x) {
  const T s = sigmoid(x);
  return s + x * (s * (T(1) - s));
}

}  // namespace scalar

// name, value of y at x
#define DALE_UNARY(row)                                 \
  row(negate, -x)                                       \
  row(exp, scalar::exp(x))                              \
  row(log, scalar::log(x))                              \
  row(sqrt, scalar::sqrt(x))                            \
  row(square, x * x)                                    \
  row(reciprocal, T(1) / x)                             \
  row(rsqrt, T(1) / scalar::sqrt(x))                    \
  row(abs, scalar::abs(x))                              \
  row(expm1, scalar::expm1(x))                          \
  row(log1p, scalar::log1p(x))                          \
  row(tanh, scalar::tanh(x))                            \
  row(softplus, scalar::softplus(x))                    \
  row(erf, scalar::erf(x))                              \
  row(sin, scalar::sin(x))                              \
  row(cos, scalar::cos(x))                              \
  row(sigmoid, scalar::sigmoid(x))                      \
  row(silu, x* scalar::sigmoid(x))                      \
  row(not_finite, x - x == T(0) ? T(0) : T(1))

// name, value of y at (a, b)
#define DALE_BINARY(row)                                \
  row(add, a + b)                                       \
  row(subtract, a - b)                                  \
  row(multiply, a* b)                                   \
  row(divide, a / b)                                    \
  row(maximum, a != a || a > b ? a : b)                 \
  row(minimum, a != a || a < b ? a : b)                 \
  row(power, scalar::power(a, b))                       \
  row(greater, a > b ? T(1) : T(0))                     \
  row(greater_equal, a >= b ? T(1) : T(0))              \
  row(equal, a == b ? T(1) : T(0))                      \
  row(masked, b != T(0) ? a : T(0))                     \
  row(silu_gradient, a* scalar::silu_slope(b)) /* a = upstream gradient, b = x */

#define DALE_NAME(name, formula) name,
enum class Unary { DALE_UNARY(DALE_NAME) };
enum class Binary { DALE_BINARY(DALE_NAME) };
#undef DALE_NAME

// A function object an op, for templates: unary_formula::exp{}(x), binary_formula::add{}(a, b).
#define DALE_FORMULA(name, formula)          \
  struct name {                              \
    template <class T>                       \
    DALE_BOTH T operator()(T x) const {      \
      return formula;                        \
    }                                        \
  };
namespace unary_formula {
DALE_UNARY(DALE_FORMULA)
}
#undef DALE_FORMULA
#define DALE_FORMULA(name, formula)          \
  struct name {                              \
    template <class T>                       \
    DALE_BOTH T operator()(T a, T b) const { \
      return formula;                        \
    }                                        \
  };
namespace binary_formula {
DALE_BINARY(DALE_FORMULA)
}
#undef DALE_FORMULA

/// Calls f with the formula object of `op`.
template <class F>
void with_formula(Unary op, F f) {
#define DALE_CASE(name, formula) \
  case Unary::name: return f(unary_formula::name{});
  switch (op) { DALE_UNARY(DALE_CASE) }
#undef DALE_CASE
}
template <class F>
void with_formula(Binary op, F f) {
#define DALE_CASE(name, formula) \
  case Binary::name: return f(binary_formula::name{});
  switch (op) { DALE_BINARY(DALE_CASE) }
#undef DALE_CASE
}

}  // namespace dale
