#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

namespace dale {
namespace {

double inner(const Tensor& a, const Tensor& b) {
  const std::vector<real> left = a.to_vector(), right = b.to_vector();
  double total = 0;
  for (std::size_t i = 0; i < left.size(); ++i) total += static_cast<double>(left[i]) * right[i];
  return total;
}

Vars leaves(const std::vector<Tensor>& x) {
  Vars out;
  for (const Tensor& t : x) out.push_back(parameter(t.clone()));
  return out;
}

/// x ↦ Σ_i ⟨w_i, ∂⟨v, f⟩/∂x_i⟩, whose gradient is a Hessian–vector product.
Function derivative_of(const Function& f, std::size_t inputs, Key key) {
  return [=](const Vars& x) {
    const Var y = f(x);
    const Vars gradients = vjp(y, normal(key.split(0), y.shape()), x, true);
    Var total = Tensor::full({}, 0);
    for (std::size_t i = 0; i < inputs; ++i)
      total = total + sum(gradients[i] * Var(normal(key.split(1 + i), gradients[i].shape())));
    return total;
  };
}

}  // namespace

double gradient_error(const Function& f, const std::vector<Tensor>& x, int order, Key key, double step) {
  if (order == 2) return gradient_error(derivative_of(f, x.size(), key.split(7)), x, 1, key, step);
  std::vector<Tensor> direction;
  for (std::size_t i = 0; i < x.size(); ++i) direction.push_back(normal(key.split(100 + i), x[i].shape()));
  const Vars at = leaves(x);
  const Var y = f(at);
  const Tensor v = normal(key.split(99), y.shape());

  double analytic = 0, scale = 1e-3;
  const Vars gradients = vjp(y, v, at);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double part = inner(gradients[i].value(), direction[i]);
    analytic += part;
    scale += std::abs(part);
  }

  const auto phi = [&](double h) {
    std::vector<Tensor> moved;
    for (std::size_t i = 0; i < x.size(); ++i)
      moved.push_back((Var(x[i]) + static_cast<real>(h) * Var(direction[i])).value());
    return inner(f(leaves(moved)).value(), v);
  };
  const auto difference = [&](double h) { return (phi(h) - phi(-h)) / (2 * h); };
  const double numeric = (4 * difference(step / 2) - difference(step)) / 3;
  return std::abs(analytic - numeric) / scale;
}

}  // namespace dale
