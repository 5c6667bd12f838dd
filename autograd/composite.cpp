// Ops that are formulas of other ops. They own no rule, with one exception that measuring asked for:
// group_norm has a fused kernel forward and backward, because the formula passes over memory a dozen times
// (with SiLU, 64 images of 32 channels at 28×28, one core, forward: 3.6 ms against the kernel's 1.4). The
// formula stays as oracle, and as rule when a graph of the gradient is being made.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "autograd/ops.h"

namespace dale {
namespace {

/// x again, as a fresh node: gradients taken with respect to it stop here.
Var alias(const Var& x) {
  return record("alias", x.value(), {x}, keep_nothing,
                [](const Var& g, const Vars&, const Var&) { return Vars{g}; });
}

/// The rule of any fused op while a graph is being made: the formula's own gradient.
template <class Formula> Vars differentiate(const Formula& formula, const Var& g, const Vars& inputs) {
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

void check_images(const char* op, const Var& x, Index factor) {
  if (x.rank() != 4 || factor < 1)
    invalid("[{}] x {} must be (N,C,H,W) and the factor {} at least 1", op, str(x.shape()), factor);
  element_count({x.dim(0), x.dim(1), x.dim(2), factor, x.dim(3), factor});  // throws for what no array can be
}

/// (n factor, n): row i weighs the two pixels whose centres enclose the centre of new pixel i; beyond the
/// outermost centres the edge is held.
Var interpolation(Index n, Index factor, Device device) {
  std::vector<real> weights(static_cast<std::size_t>(element_count({n, factor, n})));
  for (Index i = 0; i < n * factor; ++i) {
    const double at = std::clamp((i + 0.5) / factor - 0.5, 0.0, n - 1.0);
    const Index left = static_cast<Index>(at), right = std::min(left + 1, n - 1);
    weights[i * n + left] += static_cast<real>(1 - (at - left));
    weights[i * n + right] += static_cast<real>(at - left);
  }
  return Tensor({n * factor, n}, weights, device);
}

/// Combines, for each window, the kernel × kernel strided slices of the padded image.
Var pool(const char* op, const Var& x, Index kernel, Index stride, Index padding, real outside,
         const std::function<Var(const Var&, const Var&)>& combine) {
  if (x.rank() != 4 || kernel < 1 || stride < 1 || padding < 0 || padding > kernel / 2 ||
      x.dim(2) + 2 * padding < kernel || x.dim(3) + 2 * padding < kernel)
    invalid("[{}] windows of {} in steps of {} with padding {} (at most half of a window) do not fit x {}",
            op, kernel, stride, padding, str(x.shape()));
  Var padded = pad(pad(x, 2, padding, padding), 3, padding, padding);
  if (padding > 0 && outside != 0) {
    const Var inside =
        pad(pad(Var(Tensor::full(x.shape(), 1, x.device())), 2, padding, padding), 3, padding, padding);
    padded = where(inside, padded, constant(outside, x));
  }
  const Index rows = (padded.dim(2) - kernel) / stride * stride + 1,
              columns = (padded.dim(3) - kernel) / stride * stride + 1;
  Var y;
  for (Index a = 0; a < kernel; ++a)
    for (Index b = 0; b < kernel; ++b) {
      const Var tap = slice(slice(padded, 2, a, a + rows, stride), 3, b, b + columns, stride);
      y = y.value().defined() ? combine(y, tap) : tap;
    }
  return y;
}

void check_group_norm(const Var& x, const Var& gamma, const Var& beta, Index groups) {
  if (x.rank() < 2) invalid("[group_norm] x {} must be (N,C,…)", str(x.shape()));
  if (groups < 1 || x.dim(1) % groups != 0)
    invalid("[group_norm] C={} channels of x {} do not divide into {} groups", x.dim(1), str(x.shape()),
            groups);
  const Shape channels{x.dim(1)};
  if (!(gamma.shape() == channels) || !(beta.shape() == channels))
    invalid("[group_norm] x {} has C={} but gamma is {} and beta {}", str(x.shape()), x.dim(1),
            str(gamma.shape()), str(beta.shape()));
  same_device(x.device(), gamma.device(), "group_norm");
  same_device(x.device(), beta.device(), "group_norm");
}

}  // namespace

Var relu(const Var& x) { return maximum(x, constant(0, x)); }
Var elu(const Var& x, real alpha) { return relu(x) + alpha * expm1(minimum(x, constant(0, x))); }
Var gelu(const Var& x) { return 0.5 * x * (1 + erf(x * (1 / std::numbers::sqrt2))); }

Var clamp(const Var& x, real low, real high) {
  if (!(low <= high)) invalid("[clamp] the bounds {} and {} leave nothing between them", low, high);
  return minimum(maximum(x, constant(low, x)), constant(high, x));
}

Var where(const Var& condition, const Var& a, const Var& b) {
  return masked(a, condition) + masked(b, equal(condition, constant(0, condition)));
}

Var mean_squared_error(const Var& a, const Var& b) { return mean(square(a - b)); }

Var cross_entropy(const Var& logits, const IntTensor& labels) {
  const Shape expected{logits.rank() == 2 ? logits.dim(0) : -1};
  if (!(labels.shape() == expected))
    invalid("[cross_entropy] logits {} must be (N,K) and labels {} (N)", str(logits.shape()),
            str(labels.shape()));
  const Index K = logits.dim(1);
  std::vector<std::int32_t> flat = labels.to_vector();
  for (std::size_t n = 0; n < flat.size(); ++n) {
    if (flat[n] < 0 || flat[n] >= K)
      invalid("[cross_entropy] label {} of row {} is outside the {} classes", flat[n], n, K);
    flat[n] += static_cast<std::int32_t>(static_cast<Index>(n) * K);
  }
  return -mean(
      gather(reshape(log_softmax(logits, 1), {-1}), IntTensor(labels.shape(), flat, labels.device())));
}

Var attention(const Var& q, const Var& k, const Var& v, const Var& mask) {
  if (q.rank() < 2 || k.rank() < 2 || v.rank() < 2 || q.dim(-1) != k.dim(-1) || k.dim(-2) != v.dim(-2))
    invalid("[attention] q {}, k {} and v {} must be (…,T,d), (…,S,d) and (…,S,e)", str(q.shape()),
            str(k.shape()), str(v.shape()));
  const Var scores = matmul(q, k, false, true) * (1 / std::sqrt(static_cast<real>(q.dim(-1))));
  return matmul(softmax(mask.value().defined() ? scores + mask : scores, -1), v);
}

Var layer_norm(const Var& x, const Var& gamma, const Var& beta, real eps) {
  const Shape channels{x.rank() ? x.dim(-1) : -1};
  if (!(gamma.shape() == channels) || !(beta.shape() == channels))
    invalid("[layer_norm] gamma {} and beta {} must be as long as the last axis of x {}", str(gamma.shape()),
            str(beta.shape()), str(x.shape()));
  if (x.size() == 0) return x;
  const Var centred = x - mean(x, {-1}, true);
  return centred / sqrt(mean(square(centred), {-1}, true) + eps) * gamma + beta;
}

Var instance_norm(const Var& x, const Var& gamma, const Var& beta, real eps) {
  return group_norm(x, gamma, beta, x.rank() > 1 ? std::max<Index>(1, x.dim(1)) : 1, eps);
}

Var upsample_nearest(const Var& x, Index f) {
  check_images("upsample_nearest", x, f);
  const Index N = x.dim(0), C = x.dim(1), H = x.dim(2), W = x.dim(3);
  const Var pixels = reshape(permute(x, {0, 2, 3, 1}), {N, H, 1, W, 1, C});  // channels side by side
  return permute(reshape(broadcast_to(pixels, {N, H, f, W, f, C}), {N, H * f, W * f, C}), {0, 3, 1, 2});
}

Var upsample_bilinear(const Var& x, Index f) {
  check_images("upsample_bilinear", x, f);
  return matmul(matmul(interpolation(x.dim(2), f, x.device()), x), interpolation(x.dim(3), f, x.device()),
                false, true);
}

Var max_pool(const Var& x, Index kernel, Index stride, Index padding) {
  return pool("max_pool", x, kernel, stride, padding, -std::numeric_limits<real>::infinity(), maximum);
}

Var average_pool(const Var& x, Index kernel, Index stride, Index padding) {
  const auto add = [](const Var& a, const Var& b) { return a + b; };
  return pool("average_pool", x, kernel, stride, padding, 0, add) *
         (1 / (static_cast<real>(kernel) * static_cast<real>(kernel)));
}

Var group_norm_formula(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps,
                       bool with_silu) {
  check_group_norm(x, gamma, beta, groups);
  if (x.size() == 0) return x;
  const Var grouped = reshape(x, {x.dim(0), groups, -1});
  const Var centred = grouped - mean(grouped, {2}, true);
  const Var variance = mean(square(centred), {2}, true);
  const Var normal = reshape(centred / sqrt(variance + eps), x.shape());
  const Shape per_channel = shape_along(1, x.dim(1), x.rank());
  const Var z = normal * reshape(gamma, per_channel) + reshape(beta, per_channel);
  return with_silu ? silu(z) : z;
}

Var group_norm(const Var& x0, const Var& gamma, const Var& beta, Index groups, real eps, bool with_silu) {
  check_group_norm(x0, gamma, beta, groups);
  if (x0.size() == 0) return x0;
  const Tensor x = raw::channels_last(x0.value()).packed();
  const Index N = x.dim(0), C = x.dim(-1), L = x.size() / (N * C);
  const Kernels& k = kernels(x.device());
  Tensor y(x.shape(), x.device()), mean({N, groups}, x.device()), rstd({N, groups}, x.device());
  k.group_norm(N, C, L, groups, eps, with_silu, x.cspan(), gamma.value().packed().cspan(),
               beta.value().packed().cspan(), y.span(), mean.span(), rstd.span());
  return record(
      "group_norm", raw::channels_first(y), {x0, gamma, beta}, keep_inputs,
      [=](const Var& g, const Vars& in, const Var&) {
        if (recording())
          return differentiate(
              [&](const Vars& v) { return group_norm_formula(v[0], v[1], v[2], groups, eps, with_silu); }, g,
              in);
        const Tensor x = raw::channels_last(in[0].value()).packed();
        Tensor gx(x.shape(), g.device()), ggamma({C}, g.device()), gbeta({C}, g.device());
        kernels(g.device())
            .group_norm_gradient(N, C, L, groups, with_silu, raw::channels_last(g.value()).packed().cspan(),
                                 x.cspan(), in[1].value().packed().cspan(), in[2].value().packed().cspan(),
                                 mean.cspan(), rstd.cspan(), gx.span(), ggamma.span(), gbeta.span());
        return Vars{raw::channels_first(gx), ggamma, gbeta};
      });
}

}  // namespace dale
