// Group normalisation with SiLU, forward and backward, an image at a time while it is in the cache:
//   x̂ = (x − mean) rstd,   z = γ x̂ + β,   y = z or z σ(z)
//   u = ∂L/∂z = g or g (zσ(z))',   S₁ = Σ_l u,   S₂ = Σ_l u x̂   (a channel of an image each)
//   ∂L/∂β = Σ_n S₁,   ∂L/∂γ = Σ_n S₂,   ∂L/∂x = rstd (γ u − (A + x̂ B)/M),  A = Σ_c γ S₁, B = Σ_c γ S₂ over
//   the group of M = C/G · L elements.
// Channels lie side by side, so loops run along them; sums over pixels are made a channel each, in blocks that
// are added up in double, and then over the channels of a group.
#include <vector>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/machine.h"
#include "tensor/cpu/parallel.h"

namespace dale::cpu {
namespace {

/// Adds Σ_l f(c, l C + c) to sums[c] for l in [0, L): at most 64 terms in `real` before they go to double.
template <class F>
void channel_sums(Index L, Index C, real* partial, double* sums, const F& f) {
  for (Index first = 0; first < L; first += 64) {
    std::fill(partial, partial + C, real(0));
    for (Index l = first; l < std::min(L, first + 64); ++l) {
      const Index row = l * C;
      DALE_INDEPENDENT for (Index c = 0; c < C; ++c) partial[c] += f(c, row + c);
    }
    for (Index c = 0; c < C; ++c) sums[c] += partial[c];
  }
}

}  // namespace

void group_norm(Index N, Index C, Index L, Index G, real eps, bool silu, std::span<const real> x,
                std::span<const real> gamma, std::span<const real> beta, std::span<real> y,
                std::span<real> mean, std::span<real> rstd) {
  const Index width = C / G;
  const double M = static_cast<double>(width * L);
  parallel(N, [&](Index n) {
    thread_local std::vector<double> sums;
    thread_local std::vector<real> rows;
    sums.assign(static_cast<std::size_t>(2 * C), 0);
    rows.resize(static_cast<std::size_t>(3 * C));
    real *partial = rows.data(), *scale = partial + C, *shift = scale + C;
    const real* in = x.data() + n * L * C;
    real* out = y.data() + n * L * C;

    channel_sums(L, C, partial, sums.data(), [&](Index, Index i) { return in[i]; });
    real* mu = shift;  // of a channel's group
    for (Index g = 0; g < G; ++g) {
      double sum = 0;
      for (Index c = g * width; c < (g + 1) * width; ++c) sum += sums[c];
      mean[n * G + g] = static_cast<real>(sum / M);
      std::fill(mu + g * width, mu + (g + 1) * width, mean[n * G + g]);
    }
    channel_sums(L, C, partial, sums.data() + C,
                 [&](Index c, Index i) { return (in[i] - mu[c]) * (in[i] - mu[c]); });
    for (Index g = 0; g < G; ++g) {
      double sum = 0;
      for (Index c = g * width; c < (g + 1) * width; ++c) sum += sums[C + c];
      const real r = rstd[n * G + g] = static_cast<real>(1 / std::sqrt(sum / M + eps));
      for (Index c = g * width; c < (g + 1) * width; ++c) {
        scale[c] = r * gamma[c];
        shift[c] = beta[c] - mean[n * G + g] * scale[c];
      }
    }
    for (Index l = 0; l < L; ++l, in += C, out += C) {
      if (silu) {
        DALE_INDEPENDENT for (Index c = 0; c < C; ++c) {
          const real z = in[c] * scale[c] + shift[c];
          out[c] = z * scalar::sigmoid(z);
        }
      } else {
        DALE_INDEPENDENT for (Index c = 0; c < C; ++c) out[c] = in[c] * scale[c] + shift[c];
      }
    }
  });
}

void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, std::span<const real> g,
                         std::span<const real> x, std::span<const real> gamma, std::span<const real> beta,
                         std::span<const real> mean, std::span<const real> rstd, std::span<real> gx,
                         std::span<real> ggamma, std::span<real> gbeta) {
  const Index width = C / G;
  const double M = static_cast<double>(width * L);
  std::vector<double> s1(static_cast<std::size_t>(N * C)), s2(static_cast<std::size_t>(N * C));
  parallel(N, [&](Index n) {
    thread_local std::vector<real> rows;
    rows.resize(static_cast<std::size_t>(5 * C));
    real *partial = rows.data(), *scale = partial + C, *shift = scale + C, *mu = shift + C, *slope = mu + C;
    const real* up = g.data() + n * L * C;
    const real* in = x.data() + n * L * C;
    real* u = gx.data() + n * L * C;
    double *a = s1.data() + n * C, *b = s2.data() + n * C;
    for (Index c = 0; c < C; ++c) {
      const Index group = n * G + c / width;
      mu[c] = mean[group];
      scale[c] = rstd[group] * gamma[c];
      shift[c] = beta[c] - mu[c] * scale[c];
    }
    for (Index l = 0; l < L; ++l) {
      const Index row = l * C;
      if (silu) {
        DALE_INDEPENDENT for (Index c = 0; c < C; ++c) u[row + c] =
            up[row + c] * scalar::silu_slope(in[row + c] * scale[c] + shift[c]);
      } else if (u != up) {
        std::copy_n(up + row, C, u + row);
      }
    }
    channel_sums(L, C, partial, a, [&](Index, Index i) { return u[i]; });
    channel_sums(L, C, partial, b, [&](Index c, Index i) { return u[i] * (in[i] - mu[c]); });
    for (Index first = 0; first < C; first += width) {
      const double r = static_cast<double>(rstd[n * G + first / width]);
      double A = 0, B = 0;
      for (Index c = first; c < first + width; ++c) {
        b[c] *= r;
        A += static_cast<double>(gamma[c]) * a[c];
        B += static_cast<double>(gamma[c]) * b[c];
      }
      for (Index c = first; c < first + width; ++c) {
        slope[c] = static_cast<real>(-r * r * B / M);
        shift[c] = static_cast<real>(-r * A / M) - mu[c] * slope[c];
      }
    }
    for (Index l = 0; l < L; ++l) {
      const Index row = l * C;
      DALE_INDEPENDENT for (Index c = 0; c < C; ++c) u[row + c] =
          scale[c] * u[row + c] + slope[c] * in[row + c] + shift[c];
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
