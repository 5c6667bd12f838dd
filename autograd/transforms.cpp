#include "autograd/transforms.h"

#include "autograd/ops.h"

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

}  // namespace

Var jvp(const Var& y, const Vars& xs, const Vars& tangents, bool create_graph) {
  const Var g = parameter(Tensor::full(y.shape(), 0, y.device()));
  return grad(inner("jvp", vjp(y, g, xs, true), tangents), {g}, create_graph)[0];
}

Vars hessian_product(const Var& y, const Vars& xs, const Vars& vs, bool create_graph) {
  return grad(inner("hessian_product", grad(y, xs, true), vs), xs, create_graph);
}

}  // namespace dale
