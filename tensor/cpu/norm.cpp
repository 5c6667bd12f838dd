// Group normalisation with SiLU, forward and backward, in two passes over a group while it is in the cache:
//   x̂ = (x − mean) rstd,   z = γ x̂ + β,   y = z or z σ(z)
//   u = ∂L/∂z = g or g (zσ(z))',   S₁ = Σ_l u,   S₂ = Σ_l u x̂   (a channel of an image each)
//   ∂L/∂β = Σ_n S₁,   ∂L/∂γ = Σ_n S₂,   ∂L/∂x = rstd (γ u − (A + x̂ B)/M),  A = Σ_c γ S₁, B = Σ_c γ S₂ over
//   the group of
//   M = C/G · L elements.
#include <vector>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/machine.h"
#include "tensor/cpu/parallel.h"

namespace dale::cpu {

void group_norm(Index, Index C, Index L, Index G, real eps, bool silu, std::span<const real> x,
                std::span<const real> gamma, std::span<const real> beta, std::span<real> y,
                std::span<real> mean, std::span<real> rstd) {
  const Index width = C / G, M = width * L;
  parallel(static_cast<Index>(mean.size()), [&](Index p) {
    const real* in = x.data() + p * M;
    real* out = y.data() + p * M;
    const real mu = static_cast<real>(lane_sum(M, [&](Index i) { return in[i]; }) / M);
    const double variance = lane_sum(M, [&](Index i) { return (in[i] - mu) * (in[i] - mu); }) / M;
    mean[p] = mu;
    rstd[p] = static_cast<real>(1 / std::sqrt(variance + eps));
    for (Index c = 0; c < width; ++c, in += L, out += L) {
      const Index channel = p % G * width + c;
      const real scale = rstd[p] * gamma[channel], shift = beta[channel] - mu * scale;
      if (silu) {
        DALE_INDEPENDENT for (Index l = 0; l < L; ++l) {
          const real z = in[l] * scale + shift;
          out[l] = z * scalar::sigmoid(z);
        }
      } else {
        DALE_INDEPENDENT for (Index l = 0; l < L; ++l) out[l] = in[l] * scale + shift;
      }
    }
  });
}

void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, std::span<const real> g,
                         std::span<const real> x, std::span<const real> gamma, std::span<const real> beta,
                         std::span<const real> mean, std::span<const real> rstd, std::span<real> gx,
                         std::span<real> ggamma, std::span<real> gbeta) {
  const Index width = C / G;
  std::vector<double> s1(static_cast<std::size_t>(N * C)), s2(static_cast<std::size_t>(N * C));
  parallel(N * G, [&](Index p) {
    const real mu = mean[p], r = rstd[p];
    double a = 0, b = 0;
    for (Index c = 0; c < width; ++c) {
      const Index row = p * width + c, channel = row % C;
      const real* up = g.data() + row * L;
      const real* in = x.data() + row * L;
      real* u = gx.data() + row * L;
      const real scale = r * gamma[channel], shift = beta[channel] - mu * scale;
      if (silu) {
        DALE_INDEPENDENT for (Index l = 0; l < L; ++l) u[l] =
            up[l] * scalar::silu_slope(in[l] * scale + shift);
      } else if (u != up) {
        std::copy_n(up, L, u);
      }
      s1[row] = lane_sum(L, [&](Index l) { return u[l]; });
      s2[row] = lane_sum(L, [&](Index l) { return u[l] * (in[l] - mu); }) * r;
      a += gamma[channel] * s1[row];
      b += gamma[channel] * s2[row];
    }
    const double M = static_cast<double>(width * L);
    for (Index c = 0; c < width; ++c) {
      const Index row = p * width + c, channel = row % C;
      const real* in = x.data() + row * L;
      real* u = gx.data() + row * L;
      const real scale = r * gamma[channel], slope = static_cast<real>(-r * r * b / M);
      const real shift = static_cast<real>(-r * a / M) - mu * slope;
      DALE_INDEPENDENT for (Index l = 0; l < L; ++l) u[l] = scale * u[l] + slope * in[l] + shift;
    }
  });
  for (Index c = 0; c < C; ++c) {
    double sum_gamma = 0, sum_beta = 0;
    for (Index n = 0; n < N; ++n) {
      sum_gamma += s2[n * C + c];
      sum_beta += s1[n * C + c];
    }
    ggamma[c] = static_cast<real>(sum_gamma);
    gbeta[c] = static_cast<real>(sum_beta);
  }
}

}  // namespace dale::cpu
