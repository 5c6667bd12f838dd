// Elementwise ops. Each is a row of tensor/scalar.h and a rule; the derivatives stand below, in two tables.
#include <numbers>

#include "autograd/ops.h"

namespace dale {
namespace {

/// a ∘ b after broadcasting both to one shape, which broadcast_to records by itself.
Var zip(const char* op, Binary verb, const Var& a0, const Var& b0, unsigned keep, Rule rule) {
  same_device(a0.device(), b0.device(), op);
  const Shape shape = a0.shape() == b0.shape() ? a0.shape() : broadcast_shape(a0.shape(), b0.shape(), op);
  Var a = broadcast_to(a0, shape), b = broadcast_to(b0, shape);
  Tensor y = raw::binary(verb, a.value(), b.value());
  Vars inputs;
  inputs.reserve(2);
  inputs.push_back(std::move(a));
  inputs.push_back(std::move(b));
  return record(op, std::move(y), std::move(inputs), keep, std::move(rule));
}

Var map(const char* op, Unary verb, const Var& x, unsigned keep, Rule rule) {
  return record(op, raw::unary(verb, x.value()), {x}, keep, std::move(rule));
}

/// A map from pairs to 0 and 1, which has no gradient.
Var compare(const char* op, Binary verb, const Var& a, const Var& b) {
  return zip(op, verb, a.detach(), b.detach(), keep_nothing, nullptr);
}

/// What of a maximum's gradient goes to a: 1 where a > b, ½ where they are equal.
Var share(const Var& a, const Var& b) { return 0.5 * (greater(a, b) + greater_equal(a, b)); }

/// ±1, and 0 at 0.
Var sign(const Var& x) {
  const Var zero = constant(0, x);
  return greater(x, zero) - less(x, zero);
}

/// g d/dx [x σ(x)]: by a kernel of its own, and by a formula while a graph is being made.
Var silu_gradient(const Var& g, const Var& x) {
  if (!recording()) return Var(raw::binary(Binary::silu_gradient, g.value(), x.value()));
  const Var s = sigmoid(x);
  return g * (s + x * s * (1 - s));
}

}  // namespace

Var constant(real value, const Var& like) { return Var(Tensor::full({}, value, like.device())); }

// clang-format off
// y = f(x): name, the values that the rule reads, gᵀ ∂y/∂x
#define DALE_MAP(name, keep, gradient)                                                                   \
  Var name(const Var& x) {                                                                               \
    return map(#name, Unary::name, x, keep,                                                              \
               [](const Var& g, const Vars& in, [[maybe_unused]] const Var& y) {                         \
                 [[maybe_unused]] const Var& x = in[0];                                                  \
                 return Vars{gradient};                                                                  \
               });                                                                                       \
  }
DALE_MAP(exp, keep_output, g * y)
DALE_MAP(expm1, keep_output, g * (y + 1))
DALE_MAP(log, keep_input(0), g / x)
DALE_MAP(log1p, keep_input(0), g / (1 + x))
DALE_MAP(sqrt, keep_output, 0.5 * g / y)
DALE_MAP(rsqrt, keep_output, -0.5 * g * y * square(y))
DALE_MAP(square, keep_input(0), 2 * g * x)
DALE_MAP(reciprocal, keep_output, -(g * square(y)))
DALE_MAP(abs, keep_input(0), g * sign(x))
DALE_MAP(sin, keep_input(0), g * cos(x))
DALE_MAP(cos, keep_input(0), -(g * sin(x)))
DALE_MAP(tanh, keep_output, g * (1 - square(y)))
DALE_MAP(erf, keep_input(0), g * (2 * std::numbers::inv_sqrtpi * exp(-square(x))))
DALE_MAP(sigmoid, keep_output, g * y * (1 - y))
DALE_MAP(softplus, keep_input(0), g * sigmoid(x))
DALE_MAP(silu, keep_input(0), silu_gradient(g, x))

// y = f(a, b): function, verb, the values that the rule reads, gᵀ ∂y/∂a, gᵀ ∂y/∂b
#define DALE_ZIP(function, verb, keep, of_a, of_b)                                                       \
  Var function(const Var& a, const Var& b) {                                                             \
    return zip(#verb, Binary::verb, a, b, keep,                                                          \
               [](const Var& g, const Vars& in, [[maybe_unused]] const Var& y) {                         \
                 [[maybe_unused]] const Var &a = in[0], &b = in[1];                                      \
                 return each(in, [&] { return of_a; }, [&] { return of_b; });                            \
               });                                                                                       \
  }
DALE_ZIP(operator+, add, keep_nothing, g, g)
DALE_ZIP(operator-, subtract, keep_nothing, g, -g)
DALE_ZIP(operator*, multiply, keep_others(a, b), g * b, g * a)
DALE_ZIP(operator/, divide, keep_input(1) | (b.tracked() ? keep_output : 0), g / b, -(g * y / b))
DALE_ZIP(power, power, keep_inputs | (b.tracked() ? keep_output : 0),
         g * masked(b * power(a, b - 1), b), g * masked(y * log(a), not_equal(a, constant(0, a))))
DALE_ZIP(maximum, maximum, keep_inputs, g * share(a, b), g * share(b, a))
DALE_ZIP(minimum, minimum, keep_inputs, g * share(b, a), g * share(a, b))
// clang-format on

Var operator-(const Var& x) {
  return map("negate", Unary::negate, x, keep_nothing,
             [](const Var& g, const Vars&, const Var&) { return Vars{-g}; });
}

Var greater(const Var& a, const Var& b) { return compare("greater", Binary::greater, a, b); }
Var greater_equal(const Var& a, const Var& b) {
  return compare("greater_equal", Binary::greater_equal, a, b);
}
Var less(const Var& a, const Var& b) { return greater(b, a); }
Var less_equal(const Var& a, const Var& b) { return greater_equal(b, a); }
Var equal(const Var& a, const Var& b) { return compare("equal", Binary::equal, a, b); }
Var not_equal(const Var& a, const Var& b) { return 1 - equal(a, b); }

Var masked(const Var& x, const Var& mask) {
  return zip("masked", Binary::masked, x, mask.detach(), keep_input(1),
             [](const Var& g, const Vars& x, const Var&) {
               return Vars{masked(g, x[1]), Var()};
             });
}

}  // namespace dale
