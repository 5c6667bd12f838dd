// Every scalar formula of the project, once, for both machines and both floating types: a few made of the
// functions of functions.h, and the tables that are the vocabulary of the map verbs (kernels.h). To add an
// elementwise formula is to add a row.
#pragma once

#include "tensor/functions.h"

namespace dale {

#ifdef DALE_DOUBLE
using real = double;
#else
using real = float;
#endif

namespace scalar {

/// tanh |x| = −e/(e + 2) with e = e^{−2|x|} − 1 ∈ (−1, 0]: nothing overflows.
template <class T> DALE_BOTH T tanh(T x) {
  const T e = expm1(T(-2) * abs(x)), y = -e / (e + T(2));
  return x < T(0) ? -y : y;
}
/// log(1 + eˣ) = max(x, 0) + log(1 + e^{−|x|})
template <class T> DALE_BOTH T softplus(T x) { return (x < T(0) ? T(0) : x) + log1p(exp(-abs(x))); }

template <class T> DALE_BOTH T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
/// d/dx [x σ(x)] = σ(x) (1 + x (1 − σ(x))), whose limits at ±∞ are 1 and 0.
template <class T> DALE_BOTH T silu_slope(T x) {
  const T s = sigmoid(x);
  return s + x * (s * (T(1) - s));
}

}  // namespace scalar

// clang-format off
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

// clang-format on
#define DALE_NAME(name, formula) name,
enum class Unary { DALE_UNARY(DALE_NAME) };
enum class Binary { DALE_BINARY(DALE_NAME) };
#undef DALE_NAME

// A function object an op, for templates: unary_formula::exp{}(x), binary_formula::add{}(a, b).
#define DALE_FORMULA(name, formula)                                          \
  struct name {                                                              \
    template <class T> DALE_BOTH T operator()(T x) const { return formula; } \
  };
namespace unary_formula {
DALE_UNARY(DALE_FORMULA)
}
#undef DALE_FORMULA
#define DALE_FORMULA(name, formula)                                               \
  struct name {                                                                   \
    template <class T> DALE_BOTH T operator()(T a, T b) const { return formula; } \
  };
namespace binary_formula {
DALE_BINARY(DALE_FORMULA)
}
#undef DALE_FORMULA

/// Calls f with the formula object of `op`.
// clang-format off
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
// clang-format on

}  // namespace dale
