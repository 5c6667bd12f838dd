// The functions of analysis, once, for both machines and both floating types.
//
// They are made of + − × ÷ √ and of the integers that floating numbers are written with. All processors
// round these alike, and nothing is contracted to a fused multiply-add (the Makefile tells all compilers). So
// an argument gives the same bits everywhere, whereas the exp, log, pow and sin of C libraries differ in the
// last place, from library to library and with the processor. What enters a model or a sample calls these
// and not std:: (tests/layers.sh says so), and tests/functions_test.cpp compares a digest of their bits.
//
// Most are polynomials without branches, so that a loop over them becomes vector code. Errors are given in
// ulp, units in the last place of the result.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#ifdef __CUDACC__
#define DALE_BOTH __host__ __device__ inline
#else
#define DALE_BOTH inline
#endif

namespace dale::scalar {

DALE_BOTH float sqrt(float x) { return ::sqrtf(x); }
DALE_BOTH double sqrt(double x) { return ::sqrt(x); }
template <class T> DALE_BOTH T abs(T x) {
  return x < T(0) ? -x : x == T(0) ? T(0) : x;  // |−0| = 0; NaN stays
}

/// c₀ + c₁ x + c₂ x² + …, by Horner's rule.
template <class T> DALE_BOTH T polynomial(T, T c) { return c; }
template <class T, class... Rest> DALE_BOTH T polynomial(T x, T c, Rest... rest) {
  return c + x * polynomial(x, rest...);
}

// ---- exp

/// eˣ = 2ⁿ (1 + p) with n = round(x / ln 2), r = x − n ln 2, |r| ≤ ½ ln 2, and p = eʳ − 1 by Taylor's
/// polynomial of degree 7, which leaves 5e-9 (in double 13 and 6e-18). 2ⁿ comes as two factors, so that
/// results pass through subnormals to 0 and through the largest number to ∞.
template <class T> struct ExpParts { T p, scale1, scale2; };
DALE_BOTH ExpParts<float> exp_parts(float x) {
  x = x > 90.0f ? 90.0f : x;  // comparisons with NaN are false: NaN passes through
  x = x < -105.0f ? -105.0f : x;
  const float shift = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer, kept in the low bits
  const float shifted = x * 1.44269504f + shift;
  const float n = shifted - shift;
  const float r =
      (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts; the first product is exact
  const float r2 = r * r, upper = (1.0f / 24 + r * (1.0f / 120)) + r2 * (1.0f / 720 + r * (1.0f / 5040));
  const float p = r + r2 * ((0.5f + r * (1.0f / 6)) + r2 * upper);  // Estrin's order: fewer in a row
  const std::int32_t k = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(shift);
  const std::int32_t half = k >> 1;
  const float scale1 = std::bit_cast<float>(static_cast<std::uint32_t>(half + 127) << 23);
  const float scale2 = std::bit_cast<float>(static_cast<std::uint32_t>(k - half + 127) << 23);
  return {p, scale1, scale2};
}
/// Of x + tail, |tail| ≤ ulp(x): r too keeps the rest of its rounding.
DALE_BOTH ExpParts<double> exp_parts(double x, double tail = 0) {
  x = x > 710.0 ? 710.0 : x;
  x = x < -746.0 ? -746.0 : x;
  const double shift = 6755399441055744.0;  // 1.5·2⁵²
  const double shifted = x * std::numbers::log2e + shift;
  const double n = shifted - shift;
  const double first = x - n * 0.6931471805598903, second = n * 5.497923018708371e-14 - tail;
  const double r = first - second, rest = (first - r) - second;
  const double q = polynomial(r, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                              1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800);
  const std::int64_t k = std::bit_cast<std::int64_t>(shifted) - std::bit_cast<std::int64_t>(shift);
  const std::int64_t half = k >> 1;
  const double scale1 = std::bit_cast<double>(static_cast<std::uint64_t>(half + 1023) << 52);
  const double scale2 = std::bit_cast<double>(static_cast<std::uint64_t>(k - half + 1023) << 52);
  return {r + (q * r * r + rest), scale1, scale2};
}
/// 1.1 ulp in float, 0.9 in double.
template <class T> DALE_BOTH T exp_of(const ExpParts<T>& e) { return (e.p + T(1)) * e.scale1 * e.scale2; }
DALE_BOTH float exp(float x) { return exp_of(exp_parts(x)); }
DALE_BOTH double exp(double x) { return exp_of(exp_parts(x)); }

/// eˣ − 1 = 2ⁿ p + (2ⁿ − 1), without cancellation near 0: 1.7 ulp.
template <class T> DALE_BOTH T expm1_of(T x, const ExpParts<T>& e) {
  const T scale = e.scale1 * e.scale2, small = e.p * scale + (scale - T(1));
  return x > T(40) ? exp_of(e) : small;
}
DALE_BOTH float expm1(float x) { return expm1_of(x, exp_parts(x)); }
DALE_BOTH double expm1(double x) { return x == 0.0 ? x : expm1_of(x, exp_parts(x)); }

// ---- log

/// log x = n ln 2 + 2 artanh f with x = 2ⁿ m, √½ ≤ m < √2, f = (m − 1)/(m + 1), |f| < 0.172: the series
/// 2(f + f³/3 + … + f⁹/9) leaves 2e-9 of it; 2 ulp. log 0 = −∞, log of a negative number is NaN.
DALE_BOTH float log(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float normal = tiny ? x * 8388608.0f : x;                                 // lift subnormals by 2²³
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

/// The first 21 bits of x: products of two such numbers are exact.
DALE_BOTH double top(double x) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & 0xffffffff00000000u);
}

/// The same in double, to f²¹/21, which leaves 1e-18; as 21 bits and the rest, because power multiplies it.
/// f is in two parts too: with z = m − 1, the lower is (z − 2 high − z high)/(2 + z), where all products are
/// exact. REQUIRES 0 < x < ∞.
struct LogParts {
  double high, low;
};
DALE_BOTH LogParts log_parts(double x) {
  const bool tiny = x < std::numeric_limits<double>::min();
  const double normal = tiny ? x * 4503599627370496.0 : x;  // lift subnormals by 2⁵²
  const std::uint64_t root_half = 0x3fe6a09e667f3bcdu;      // bits of √½
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(normal) - root_half;
  const double n = static_cast<double>(static_cast<std::int32_t>(static_cast<std::int64_t>(bits) >> 52)) -
                   (tiny ? 52.0 : 0.0);
  const double m = std::bit_cast<double>((bits & 0xfffffffffffffu) + root_half), z = m - 1.0, z1 = top(z);
  const double f = z / (m + 1.0), f2 = f * f, f_high = top(f);
  const double f_low = (((z - 2.0 * f_high) - z1 * f_high) - (z - z1) * f_high) / (m + 1.0);
  const double series = f2 * polynomial(f2, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15,
                                        1.0 / 17, 1.0 / 19, 1.0 / 21);
  const double turns = n * 0.6931471805598903, rest = 2.0 * (f_low + f * series) + n * 5.497923018708371e-14;
  const double high = top(turns + (2.0 * f_high + rest));
  return {high, ((turns - high) + 2.0 * f_high) + rest};
}
/// 0.6 ulp.
DALE_BOTH double log(double x) {
  const LogParts l = log_parts(x);
  const double infinity = std::numeric_limits<double>::infinity();
  double out = x < infinity ? l.high + l.low : x;
  out = x == 0.0 ? -infinity : out;
  return x < 0.0 ? std::numeric_limits<double>::quiet_NaN() : out;
}

/// log(1 + x): with u = 1 + x rounded, log(u) x/(u − 1) undoes the rounding; 3.5 ulp.
DALE_BOTH float log1p(float x) {
  const float u = 1.0f + x, d = u - 1.0f;
  const float value = log(u) * (x / (d == 0.0f ? 1.0f : d));
  return d == 0.0f || !(x < std::bit_cast<float>(0x7f800000)) ? x : value;
}
/// log u + (x − (u − 1))/u: 0.7 ulp.
DALE_BOTH double log1p(double x) {
  const double u = 1.0 + x, infinity = std::numeric_limits<double>::infinity();
  const LogParts l = log_parts(u);
  const double value = l.high + (l.low + (x - (u - 1.0)) / u);
  return x == 0.0 ? x : x > -1.0 && x < infinity ? value : log(u);
}

// ---- sin and cos

/// sin and cos of a quarter turn at most, |r| ≤ π/4, by Taylor's series to r⁹ and r¹⁰: 2e-9.
DALE_BOTH float sin_small(float r) {
  const float r2 = r * r;
  return r + r * r2 * (-1.0f / 6 + r2 * (1.0f / 120 + r2 * (-1.0f / 5040 + r2 * (1.0f / 362880))));
}
DALE_BOTH float cos_small(float r) {
  const float r2 = r * r;
  return 1.0f +
         r2 * (-0.5f + r2 * (1.0f / 24 + r2 * (-1.0f / 720 + r2 * (1.0f / 40320 - r2 * (1.0f / 3628800)))));
}
/// To r¹⁷ and r¹⁶, which leaves 3e-18, of r + tail.
DALE_BOTH double sin_small(double r, double tail) {
  const double r2 = r * r;
  const double series = polynomial(r2, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800,
                                   1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000);
  return r + (tail + r * r2 * series);
}
DALE_BOTH double cos_small(double r, double tail) {
  const double r2 = r * r;
  const double series = polynomial(r2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600,
                                   -1.0 / 87178291200, 1.0 / 20922789888000);
  return 1.0 - (0.5 * r2 - (r2 * r2 * series - r * tail));
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
/// π/2 in three parts, the first two of 33 bits: 1.1 ulp for |x| < 1.6e6. Beyond, the error grows to that of
/// the argument's own rounding; NaN beyond 2⁴⁵ quadrants.
DALE_BOTH double sin_shifted(double x, std::int32_t q) {
  const double shift = 6755399441055744.0;
  const double shifted = x * 0.6366197723675814 + shift;
  const double n = shifted - shift;
  const double first = x - n * 1.5707963267341256, second = n * 6.077100506303966e-11;
  const double reduced = first - second, third = n * 2.0222662487959506e-21 - ((first - reduced) - second);
  const double r = reduced - third, tail = (reduced - r) - third;
  const std::int32_t quadrant = static_cast<std::int32_t>(std::bit_cast<std::int64_t>(shifted)) + q;
  const double v = (quadrant & 1) ? cos_small(r, tail) : sin_small(r, tail);
  const bool in_range = n < 35184372088832.0 && n > -35184372088832.0;
  return !in_range ? std::numeric_limits<double>::quiet_NaN() : (quadrant & 2) ? -v : v;
}
DALE_BOTH float sin(float x) { return sin_shifted(x, 0); }
DALE_BOTH float cos(float x) { return sin_shifted(x, 1); }
DALE_BOTH double sin(double x) { return x == 0.0 ? x : sin_shifted(x, 0); }
DALE_BOTH double cos(double x) { return sin_shifted(x, 1); }

// ---- erf, power, hypot

/// erf |x| = 1 − e^{−|x| P(|x|)}. P, of degree 8, is fitted to −log(erfc x)/x on [0, 4], beyond which erf x
/// rounds to 1, and leaves 4e-9; 3 ulp.
DALE_BOTH float erf(float x) {
  const float size = abs(x), a = size > 4.0f ? 4.0f : size;
  const float P =
      polynomial(a, 1.128379172f, 0.6366193829f, 0.1027778204f, -0.01915302085f, -0.0001604839033f,
                 0.001667122522f, -0.0006328925102f, 0.0001176578442f, -9.258224413e-6f);
  const float y = -expm1(-a * P), out = x < 0.0f ? -y : y;
  return x == 0.0f ? x : out;
}
/// For |x| < ¾ Taylor's series 2/√π Σ (−1)ᵏ x²ᵏ⁺¹/(k! (2k + 1)). Beyond,
///   erfc x = x e^{−x²}/π ∫ e^{−t²}/(t² + x²) dt
/// by the trapezoidal rule with steps of ½, which leaves e^{−4π²} and the pole's residue 2/(e^{4πx} − 1);
/// 4.5 ulp.
DALE_BOTH double erf(double x) {
  const double a = abs(x) > 6.0 ? 6.0 : abs(x), a2 = a * a;
  double term = 1, series = 1, sum = 1 / a2;
  for (int k = 1; k < 19; ++k) {
    term *= -a2 / k;
    series += term / (2 * k + 1);
  }
  for (int k = 1; k < 12; ++k) sum += 2 * exp(-k * k / 4.0) / (k * k / 4.0 + a2);
  const double tail = a * exp(-a2) * sum / (2 * std::numbers::pi) - 2 / expm1(4 * std::numbers::pi * a);
  const double y = 1 - tail;
  return a < 0.75 ? x * series * (2 * std::numbers::inv_sqrtpi) : x < 0.0 ? -y : y;
}

/// xᵖ = e^{p log x} with both factors in two parts: 1 ulp for |p| < 8, 20 at the worst; in float ½. As IEEE
/// 754 has it, x⁰ = 1ᵖ = 1 even for NaN, negative x have powers for whole p alone, and 0 and ∞ their limits.
DALE_BOTH double power(double x, double p) {
  const double infinity = std::numeric_limits<double>::infinity(), a = abs(x), p1 = top(p);
  const LogParts l = log_parts(a);
  const double main = p1 * l.high, rest = p1 * l.low + (p - p1) * (l.high + l.low), y = main + rest;
  double out = exp_of(exp_parts(y, abs(y) < 800.0 ? (main - y) + rest : 0.0));
  const double toward = a > 1.0 ? p : -p, limit = a == 1.0 ? 1.0 : toward > 0.0 ? infinity : 0.0;
  out = a == 0.0 || a == infinity || abs(p) == infinity ? limit : out;
  const double small = abs(p) < 9007199254740992.0 ? p : 0.0;  // beyond 2⁵³ all numbers are even
  const std::int64_t whole = static_cast<std::int64_t>(small);
  const bool is_whole = static_cast<double>(whole) == small, odd = is_whole && (whole & 1);
  const double sign = odd && std::bit_cast<std::int64_t>(x) < 0 ? -1.0 : 1.0;
  const bool undefined = (x < 0.0 && a < infinity && !is_whole) || x != x || p != p;
  out = undefined ? std::numeric_limits<double>::quiet_NaN() : out * sign;
  return x == 1.0 || p == 0.0 ? 1.0 : out;
}
DALE_BOTH float power(float x, float p) {
  return static_cast<float>(power(static_cast<double>(x), static_cast<double>(p)));
}

/// √(a² + b²): 1 ulp, for numbers whose squares are numbers.
DALE_BOTH double hypot(double a, double b) { return sqrt(a * a + b * b); }

}  // namespace dale::scalar
