#include "autograd/transforms.h"

#include <algorithm>
#include <cmath>

namespace dale {
namespace {

/// Σ_i ⟨a_i, b_i⟩
Var inner(const char* op, const Vars& a, const Vars& b) {
  if (a.size() != b.size() || a.empty())
    invalid("[{}] {} directions for {} variables", op, b.size(), a.size());
  Var total;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(a[i].shape() == b[i].shape()))
      invalid("[{}] direction {} has shape {}, its variable {}", op, i, str(b[i].shape()), str(a[i].shape()));
    const Var part = sum(a[i] * b[i]);
    total = total.value().defined() ? total + part : part;
  }
  return total;
}

/// The same of two arrays, in double.
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

/// An array for each x, from the children `first` … of the key.
Vars directions(Key key, std::uint64_t first, const auto& xs) {
  Vars out;
  for (const auto& x : xs) out.push_back(normal(key.split(first++), x.shape()));
  return out;
}

/// x ↦ Σ_i ⟨w_i, ∂⟨v, f⟩/∂x_i⟩, whose gradient is a Hessian–vector product.
Function derivative_of(const Function& f, Key key) {
  return [=](const Vars& x) {
    const Var y = f(x);
    return inner("gradient_error", vjp(y, normal(key.split(0), y.shape()), x, true), directions(key, 1, x));
  };
}

}  // namespace

Var jvp(const Var& y, const Vars& xs, const Vars& tangents, bool create_graph) {
  const Var g = parameter(Tensor::full(y.shape(), 0, y.device()));
  return grad(inner("jvp", vjp(y, g, xs, true), tangents), {g}, create_graph)[0];
}

Vars hessian_product(const Var& y, const Vars& xs, const Vars& vs, bool create_graph) {
  return grad(inner("hessian_product", grad(y, xs, true), vs), xs, create_graph);
}

FieldAndDivergence divergence(const Field& f, const Var& y, Trace trace, Key key, bool create_graph,
                              std::uint64_t first) {
  const Index N = y.dim(0), d = N ? y.size() / N : 0;
  const WithGrad on;
  const Var at = parameter(y.value());
  const Var value = f(at);
  if (!value.tracked()) return {value, Tensor::full({N}, 0, y.device())};  // it does not depend on y
  const auto product = [&](const Var& v) {  // vᵀ (∂f/∂y) v for each image
    const Var weights = reshape(v, value.shape());
    return sum(reshape(vjp(value, weights, {at}, create_graph)[0] * weights, {N, d}), {1});
  };
  if (trace == Trace::hutchinson)
    return {
        value,
        product(2 * Var(bernoulli(key, {N, d}, 0.5, first * static_cast<std::uint64_t>(d), y.device())) - 1)};
  Var total = Tensor::full({N}, 0, y.device());
  for (Index i = 0; i < d; ++i) {
    const Var unit = place(Tensor::full({1, 1}, 1, y.device()), 1, i, 1, d);
    total = total + product(broadcast_to(unit, {N, d}));
  }
  return {value, total};
}

double gradient_error(const Function& f, const std::vector<Tensor>& x, int order, Key key, double step) {
  if (order == 2) return gradient_error(derivative_of(f, key.split(7)), x, 1, key, step);
  const Vars at = leaves(x), direction = directions(key, 100, x);
  const Var y = f(at);
  const Tensor v = normal(key.split(99), y.shape());

  double analytic = 0, scale = 1e-3;
  const Vars gradients = vjp(y, v, at);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double part = inner(gradients[i].value(), direction[i].value());
    analytic += part;
    scale += std::abs(part);
  }

  const auto phi = [&](double h) {
    std::vector<Tensor> moved;
    for (std::size_t i = 0; i < x.size(); ++i)
      moved.push_back((Var(x[i]) + static_cast<real>(h) * direction[i]).value());
    return inner(f(leaves(moved)).value(), v);
  };
  const auto difference = [&](double h) { return (phi(h) - phi(-h)) / (2 * h); };
  const double numeric = (4 * difference(step / 2) - difference(step)) / 3;
  return std::abs(analytic - numeric) / scale;
}

}  // namespace dale
