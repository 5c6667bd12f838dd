// Elementwise ops. Each is a row of tensor/scalar.h and a rule; the derivative stands in the rule.
#include <numbers>

#include "autograd/ops.h"

namespace dale {
namespace {

Var constant(real value, const Var& like) { return Var(Tensor::full({}, value, like.device())); }

/// a ∘ b after broadcasting both to one shape, which broadcast_to records by itself.
Var zip(const char* op, Binary verb, const Var& a0, const Var& b0, unsigned keep, Rule rule) {
  same_device(a0.device(), b0.device(), op);
  const Shape shape = a0.shape() == b0.shape() ? a0.shape() : broadcast_shape(a0.shape(), b0.shape(), op);
  Var a = broadcast_to(a0, shape), b = broadcast_to(b0, shape);
  Tensor y = raw::binary(verb, a.value(), b.value());
  return record(op, std::move(y), pack(std::move(a), std::move(b)), keep, std::move(rule));
}

Var map(const char* op, Unary verb, const Var& x, unsigned keep, Rule rule) {
  return record(op, raw::unary(verb, x.value()), pack(x), keep, std::move(rule));
}

/// A map from pairs to 0 and 1, which has no gradient.
Var compare(const char* op, Binary verb, const Var& a, const Var& b) {
  return zip(op, verb, a.detach(), b.detach(), keep_nothing, nullptr);
}

/// What of a maximum's gradient goes to a: 1 where a > b, ½ where they are equal.
Var share(const Var& a, const Var& b) { return 0.5 * (greater(a, b) + greater_equal(a, b)); }

}  // namespace

Var operator+(const Var& a, const Var& b) {
  return zip("add", Binary::add, a, b, keep_nothing, [](const Var& g, const Vars& x, const Var&) {
    return each(
        x, [&] { return g; }, [&] { return g; });
  });
}

Var operator-(const Var& a, const Var& b) {
  return zip("subtract", Binary::subtract, a, b, keep_nothing, [](const Var& g, const Vars& x, const Var&) {
    return each(
        x, [&] { return g; }, [&] { return -g; });
  });
}

Var operator*(const Var& a, const Var& b) {
  const unsigned keep = (a.tracked() ? keep_input(1) : 0) | (b.tracked() ? keep_input(0) : 0);
  return zip("multiply", Binary::multiply, a, b, keep, [](const Var& g, const Vars& x, const Var&) {
    return each(
        x, [&] { return g * x[1]; }, [&] { return g * x[0]; });
  });
}

Var operator/(const Var& a, const Var& b) {
  const unsigned keep = keep_input(1) | (b.tracked() ? keep_output : 0);
  return zip("divide", Binary::divide, a, b, keep, [](const Var& g, const Vars& x, const Var& y) {
    return each(
        x, [&] { return g / x[1]; }, [&] { return -(g * y / x[1]); });
  });
}

Var operator+(const Var& a, real b) { return a + constant(b, a); }
Var operator-(const Var& a, real b) { return a - constant(b, a); }
Var operator*(const Var& a, real b) { return a * constant(b, a); }
Var operator/(const Var& a, real b) { return a / constant(b, a); }
Var operator+(real a, const Var& b) { return constant(a, b) + b; }
Var operator-(real a, const Var& b) { return constant(a, b) - b; }
Var operator*(real a, const Var& b) { return constant(a, b) * b; }
Var operator/(real a, const Var& b) { return constant(a, b) / b; }

Var operator-(const Var& x) {
  return map("negate", Unary::negate, x, keep_nothing,
             [](const Var& g, const Vars&, const Var&) { return Vars{-g}; });
}

Var power(const Var& a, const Var& b) {
  const unsigned keep = keep_input(0) | keep_input(1) | (b.tracked() ? keep_output : 0);
  return zip("power", Binary::power, a, b, keep, [](const Var& g, const Vars& x, const Var& y) {
    const Var &a = x[0], &b = x[1];
    return each(
        x, [&] { return g * masked(b * power(a, b - 1), b); },
        [&] { return g * masked(y * log(a), not_equal(a, constant(0, a))); });
  });
}
Var power(const Var& a, real b) { return power(a, constant(b, a)); }

Var exp(const Var& x) {
  return map("exp", Unary::exp, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{g * y}; });
}

Var expm1(const Var& x) {
  return map("expm1", Unary::expm1, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{g * (y + 1)}; });
}

Var log(const Var& x) {
  return map("log", Unary::log, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{g / x[0]}; });
}

Var log1p(const Var& x) {
  return map("log1p", Unary::log1p, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{g / (1 + x[0])}; });
}

Var sqrt(const Var& x) {
  return map("sqrt", Unary::sqrt, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{0.5 * g / y}; });
}

Var rsqrt(const Var& x) {
  return map("rsqrt", Unary::rsqrt, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{-0.5 * g * y * square(y)}; });
}

Var square(const Var& x) {
  return map("square", Unary::square, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{2 * g * x[0]}; });
}

Var reciprocal(const Var& x) {
  return map("reciprocal", Unary::reciprocal, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{-(g * square(y))}; });
}

Var abs(const Var& x) {
  return map("abs", Unary::abs, x, keep_input(0), [](const Var& g, const Vars& x, const Var&) {
    const Var zero = constant(0, x[0]);
    return Vars{g * (greater(x[0], zero) - less(x[0], zero))};
  });
}

Var sin(const Var& x) {
  return map("sin", Unary::sin, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{g * cos(x[0])}; });
}

Var cos(const Var& x) {
  return map("cos", Unary::cos, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{-(g * sin(x[0]))}; });
}

Var tanh(const Var& x) {
  return map("tanh", Unary::tanh, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{g * (1 - square(y))}; });
}

Var erf(const Var& x) {
  return map("erf", Unary::erf, x, keep_input(0), [](const Var& g, const Vars& x, const Var&) {
    return Vars{g * (2 * std::numbers::inv_sqrtpi * exp(-square(x[0])))};
  });
}

Var sigmoid(const Var& x) {
  return map("sigmoid", Unary::sigmoid, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{g * y * (1 - y)}; });
}

Var softplus(const Var& x) {
  return map("softplus", Unary::softplus, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{g * sigmoid(x[0])}; });
}

Var silu(const Var& x) {
  return map("silu", Unary::silu, x, keep_input(0), [](const Var& g, const Vars& x, const Var&) {
    if (!recording()) return Vars{Var(raw::binary(Binary::silu_gradient, g.value(), x[0].value()))};
    const Var s = sigmoid(x[0]);
    return Vars{g * (s + x[0] * s * (1 - s))};
  });
}

Var maximum(const Var& a, const Var& b) {
  return zip("maximum", Binary::maximum, a, b, keep_inputs, [](const Var& g, const Vars& x, const Var&) {
    return each(
        x, [&] { return g * share(x[0], x[1]); }, [&] { return g * share(x[1], x[0]); });
  });
}

Var minimum(const Var& a, const Var& b) {
  return zip("minimum", Binary::minimum, a, b, keep_inputs, [](const Var& g, const Vars& x, const Var&) {
    return each(
        x, [&] { return g * share(x[1], x[0]); }, [&] { return g * share(x[0], x[1]); });
  });
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
               return each(
                   x, [&] { return masked(g, x[1]); }, [] { return Var(); });
             });
}

}  // namespace dale
