// Ops that are formulas of other ops. They own no rule, with one exception that measuring asked for: group_norm has a
// fused kernel forward and backward (the formula costs about twelve passes over memory forward and twenty backward, the
// kernel two and three), and its formula stays as oracle, and as rule when a graph of the gradient is being made.
#include "autograd/ops.h"

namespace dale {
namespace {

/// x again, as a fresh node: gradients taken with respect to it stop here.
Var alias(const Var& x) {
  return record("alias", x.value(), {x}, keep_nothing, [](const Var& g, const Vars&, const Var&) { return Vars{g}; });
}

/// The rule of any fused op while a graph is being made: the formula's own gradient.
template <class Formula>
Vars differentiate(const Formula& formula, const Var& g, const Vars& inputs) {
  Vars fresh, tracked, out;
  for (const Var& x : inputs) {
    fresh.push_back(alias(x));
    if (x.tracked()) tracked.push_back(fresh.back());
  }
  const Vars gradients = vjp(formula(fresh), g, tracked, true);
  std::size_t next = 0;
  for (const Var& x : inputs) out.push_back(x.tracked() ? gradients[next++] : Var());
  return out;
}

/// (C) as (1,C,1,…), to broadcast against (N,C,…).
Var per_channel(const Var& v, int rank) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(i == 1 ? v.dim(0) : 1);
  return reshape(v, shape);
}

void check_group_norm(const Var& x, const Var& gamma, const Var& beta, Index groups) {
  if (x.rank() < 2) invalid("[group_norm] x {} must be (N,C,…)", str(x.shape()));
  if (groups < 1 || x.dim(1) % groups != 0)
    invalid("[group_norm] C={} channels of x {} do not divide into {} groups", x.dim(1), str(x.shape()), groups);
  const Shape channels{x.dim(1)};
  if (!(gamma.shape() == channels) || !(beta.shape() == channels))
    invalid("[group_norm] x {} has C={} but gamma is {} and beta {}", str(x.shape()), x.dim(1), str(gamma.shape()),
            str(beta.shape()));
  same_device(x.device(), gamma.device(), "group_norm");
  same_device(x.device(), beta.device(), "group_norm");
}

}  // namespace

Var mean_squared_error(const Var& a, const Var& b) { return mean(square(a - b)); }

Var upsample_nearest(const Var& x, Index f) {
  if (x.rank() != 4) invalid("[upsample_nearest] x {} must be (N,C,H,W)", str(x.shape()));
  const Index N = x.dim(0), C = x.dim(1), H = x.dim(2), W = x.dim(3);
  return reshape(broadcast_to(reshape(x, {N, C, H, 1, W, 1}), {N, C, H, f, W, f}), {N, C, H * f, W * f});
}

Var group_norm_formula(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps, bool with_silu) {
  check_group_norm(x, gamma, beta, groups);
  if (x.size() == 0) return x;
  const Var grouped = reshape(x, {x.dim(0), groups, -1});
  const Var centred = grouped - mean(grouped, {2}, true);
  const Var variance = mean(square(centred), {2}, true);
  const Var normal = reshape(centred / sqrt(variance + eps), x.shape());
  const Var z = normal * per_channel(gamma, x.rank()) + per_channel(beta, x.rank());
  return with_silu ? silu(z) : z;
}

Var group_norm(const Var& x0, const Var& gamma, const Var& beta, Index groups, real eps, bool with_silu) {
  check_group_norm(x0, gamma, beta, groups);
  if (x0.size() == 0) return x0;
  const Tensor x = x0.value().packed();
  const Index N = x.dim(0), C = x.dim(1), L = x.size() / (N * C);
  const Kernels& k = kernels(x.device());
  Tensor y(x.shape(), x.device()), mean({N, groups}, x.device()), rstd({N, groups}, x.device());
  k.group_norm(N, C, L, groups, eps, with_silu, x.cspan(), gamma.value().packed().cspan(),
               beta.value().packed().cspan(), y.span(), mean.span(), rstd.span());
  return record("group_norm", y, {x0, gamma, beta}, keep_inputs, [=](const Var& g, const Vars& in, const Var&) {
    if (recording())
      return differentiate([&](const Vars& v) { return group_norm_formula(v[0], v[1], v[2], groups, eps, with_silu); },
                           g, in);
    Tensor gx(in[0].shape(), g.device()), ggamma({C}, g.device()), gbeta({C}, g.device());
    kernels(g.device())
        .group_norm_gradient(N, C, L, groups, with_silu, g.value().packed().cspan(), in[0].value().packed().cspan(),
                             in[1].value().packed().cspan(), in[2].value().packed().cspan(), mean.cspan(),
                             rstd.cspan(), gx.span(), ggamma.span(), gbeta.span());
    return Vars{gx, ggamma, gbeta};
  });
}

}  // namespace dale
