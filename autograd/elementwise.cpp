// Elementwise ops. Each is a row of tensor/scalar.h and a rule; the derivative stands in the rule.
#include "autograd/ops.h"

namespace dale {
namespace {

Var constant(real value, const Var& like) { return Var(Tensor::full({}, value, like.device())); }

/// a ∘ b after broadcasting both to one shape, which broadcast_to records by itself.
Var zip(const char* op, Binary verb, const Var& a0, const Var& b0, unsigned keep, Rule rule) {
  same_device(a0.device(), b0.device(), op);
  const Shape shape = a0.shape() == b0.shape() ? a0.shape() : broadcast_shape(a0.shape(), b0.shape(), op);
  const Var a = broadcast_to(a0, shape), b = broadcast_to(b0, shape);
  return record(op, raw::binary(verb, a.value(), b.value()), {a, b}, keep, std::move(rule));
}

Var map(const char* op, Unary verb, const Var& x, unsigned keep, Rule rule) {
  return record(op, raw::unary(verb, x.value()), {x}, keep, std::move(rule));
}

}  // namespace

Var operator+(const Var& a, const Var& b) {
  return zip("add", Binary::add, a, b, keep_nothing, [](const Var& g, const Vars& x, const Var&) {
    return each(x, [&] { return g; }, [&] { return g; });
  });
}

Var operator-(const Var& a, const Var& b) {
  return zip("subtract", Binary::subtract, a, b, keep_nothing, [](const Var& g, const Vars& x, const Var&) {
    return each(x, [&] { return g; }, [&] { return -g; });
  });
}

Var operator*(const Var& a, const Var& b) {
  const unsigned keep = (a.tracked() ? keep_input(1) : 0) | (b.tracked() ? keep_input(0) : 0);
  return zip("multiply", Binary::multiply, a, b, keep, [](const Var& g, const Vars& x, const Var&) {
    return each(x, [&] { return g * x[1]; }, [&] { return g * x[0]; });
  });
}

Var operator/(const Var& a, const Var& b) {
  const unsigned keep = keep_input(1) | (b.tracked() ? keep_output : 0);
  return zip("divide", Binary::divide, a, b, keep, [](const Var& g, const Vars& x, const Var& y) {
    return each(x, [&] { return g / x[1]; }, [&] { return -(g * y / x[1]); });
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
  return map("negate", Unary::negate, x, keep_nothing, [](const Var& g, const Vars&, const Var&) { return Vars{-g}; });
}

Var exp(const Var& x) {
  return map("exp", Unary::exp, x, keep_output, [](const Var& g, const Vars&, const Var& y) { return Vars{g * y}; });
}

Var log(const Var& x) {
  return map("log", Unary::log, x, keep_input(0), [](const Var& g, const Vars& x, const Var&) { return Vars{g / x[0]}; });
}

Var sqrt(const Var& x) {
  return map("sqrt", Unary::sqrt, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{0.5 * g / y}; });
}

Var square(const Var& x) {
  return map("square", Unary::square, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{2 * g * x[0]}; });
}

Var reciprocal(const Var& x) {
  return map("reciprocal", Unary::reciprocal, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{-(g * square(y))}; });
}

Var sin(const Var& x) {
  return map("sin", Unary::sin, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{g * cos(x[0])}; });
}

Var cos(const Var& x) {
  return map("cos", Unary::cos, x, keep_input(0),
             [](const Var& g, const Vars& x, const Var&) { return Vars{-(g * sin(x[0]))}; });
}

Var sigmoid(const Var& x) {
  return map("sigmoid", Unary::sigmoid, x, keep_output,
             [](const Var& g, const Vars&, const Var& y) { return Vars{g * y * (1 - y)}; });
}

Var silu(const Var& x) {
  return map("silu", Unary::silu, x, keep_input(0), [](const Var& g, const Vars& x, const Var&) {
    if (!recording()) return Vars{Var(raw::binary(Binary::silu_gradient, g.value(), x[0].value()))};
    const Var s = sigmoid(x[0]);
    return Vars{g * (s + x[0] * s * (1 - s))};
  });
}

}  // namespace dale
