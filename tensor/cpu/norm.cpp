// Group normalisation with SiLU, forward and backward, an image at a time while it is in the cache:
//   x̂ = (x − mean) rstd,   z = γ x̂ + β,   y = z or z σ(z)
//   u = ∂L/∂z = g or g (zσ(z))',   S₁ = Σ_l u,   S₂ = Σ_l u x̂   (a channel of an image each)
//   ∂L/∂β = Σ_n S₁,   ∂L/∂γ = Σ_n S₂,   ∂L/∂x = rstd (γ u − (A + x̂ B)/M),  A = Σ_c γ S₁, B = Σ_c γ S₂ over
//   the group of M = C/G · L elements.
// Channels lie side by side, so loops run along them; sums over pixels are made a channel each, in blocks
// that are added up in double, and then over the channels of a group.
#include <functional>
#include <numeric>
#include <vector>

#include "tensor/cpu/lanes.h"
#include "tensor/cpu/parallel.h"
#include "tensor/walk.h"

namespace dale::cpu {
namespace {

/// Pixels that a loop takes together, so that it is worth a vector loop for few channels too: a divisor of L.
Index pixels_together(Index L, Index C) {
  Index r = std::max<Index>(1, std::min(L, 256 / C));
  while (L % r) --r;
  return r;
}

/// sums[c] = Σ f(p, i) over i = c, c + C, … below L C, where p = i mod P is the place in a row of P numbers,
/// whole pixels: 64 terms at most are added in `real`, in partial (P), before they go to double. f gives a
/// register from i on.
template <class F> void channel_sums(Index L, Index C, Index P, real* partial, double* sums, const F& f) {
  constexpr Index together = 4;  // registers that are added to in turn
  std::fill(sums, sums + C, 0.0);
  for (Index begin = 0; begin < L * C; begin += 64 * P) {
    const Index end = std::min(L * C, begin + 64 * P);
    Index p = 0;
    for (; p + together * lanes <= P; p += together * lanes) {
      Lanes sum[together] = {};
      for (Index row = begin; row < end; row += P)
        DALE_UNROLL for (Index k = 0; k < together; ++k) sum[k] +=
            f(p + k * lanes, row + p + k * lanes, Whole{});
      DALE_UNROLL for (Index k = 0; k < together; ++k) store(partial + p + k * lanes, sum[k]);
    }
    for_lanes(P - p, [&](Index more, auto part) {
      Lanes sum{};
      for (Index row = begin; row < end; row += P) sum += f(p + more, row + p + more, part);
      store(partial + p + more, sum, part);
    });
    for (p = 0; p < P; p += C)
      for (Index c = 0; c < C; ++c) sums[c] += partial[p + c];
  }
}

/// Calls f(p, channel, group) for the P numbers of whole pixels.
template <class F> void for_row(Index P, Index C, Index width, const F& f) {
  for (Index p = 0; p < P; p += C)
    for (Index c = 0; c < C; ++c) f(p + c, c, c / width);
}

}  // namespace

void group_norm(Index N, Index C, Index L, Index G, real eps, bool silu, In x, In gamma, In beta, Out y,
                Out mean, Out rstd) {
  const Index width = C / G, P = C * pixels_together(L, C);
  const double M = static_cast<double>(width * L);
  parallel(N, [&](Index n) {
    std::vector<real> rows(static_cast<std::size_t>(4 * P));
    std::vector<double> sums(static_cast<std::size_t>(C));
    real *partial = rows.data(), *mu = partial + P, *scale = mu + P, *shift = scale + P;
    const real* in = x.data() + n * L * C;
    real* out = y.data() + n * L * C;
    const auto over_group = [&](Index g) {
      return std::accumulate(sums.begin() + g * width, sums.begin() + (g + 1) * width, 0.0);
    };

    channel_sums(L, C, P, partial, sums.data(),
                 [&](Index, Index i, auto part) { return load(in + i, part); });
    for (Index g = 0; g < G; ++g) mean[n * G + g] = static_cast<real>(over_group(g) / M);
    for_row(P, C, width, [&](Index p, Index, Index g) { mu[p] = mean[n * G + g]; });
    channel_sums(L, C, P, partial, sums.data(), [&](Index p, Index i, auto part) {
      const Lanes centred = load(in + i, part) - load(mu + p, part);
      return centred * centred;
    });
    for (Index g = 0; g < G; ++g) rstd[n * G + g] = static_cast<real>(1 / std::sqrt(over_group(g) / M + eps));
    for_row(P, C, width, [&](Index p, Index c, Index g) {
      scale[p] = rstd[n * G + g] * gamma[c];
      shift[p] = beta[c] - mu[p] * scale[p];
    });
    const auto write = [&](const auto& y_of) {
      for (Index row = 0; row < L * C; row += P)
        DALE_INDEPENDENT for (Index p = 0; p < P; ++p) out[row + p] = y_of(in[row + p] * scale[p] + shift[p]);
    };
    if (silu)
      write(unary_formula::silu{});
    else
      write(std::identity{});
  });
}

void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, In g, In x, In gamma, In beta,
                         In mean, In rstd, Out gx, Out ggamma, Out gbeta) {
  const Index width = C / G, P = C * pixels_together(L, C);
  const double M = static_cast<double>(width * L);
  std::vector<double> s1(static_cast<std::size_t>(N * C)), s2(static_cast<std::size_t>(N * C));
  parallel(N, [&](Index n) {
    std::vector<real> rows(static_cast<std::size_t>(5 * P));
    real *partial = rows.data(), *mu = partial + P, *scale = mu + P, *shift = scale + P, *slope = shift + P;
    const real* up = g.data() + n * L * C;
    const real* in = x.data() + n * L * C;
    real* u = gx.data() + n * L * C;
    for_row(P, C, width, [&](Index p, Index c, Index group) {
      mu[p] = mean[n * G + group];
      scale[p] = rstd[n * G + group] * gamma[c];
      shift[p] = beta[c] - mu[p] * scale[p];
    });
    if (silu) {
      for (Index row = 0; row < L * C; row += P)
        DALE_INDEPENDENT for (Index p = 0; p < P; ++p) u[row + p] =
            up[row + p] * scalar::silu_slope(in[row + p] * scale[p] + shift[p]);
    } else if (u != up) {
      std::copy_n(up, L * C, u);
    }
    double *a = s1.data() + n * C, *b = s2.data() + n * C;
    channel_sums(L, C, P, partial, a, [&](Index, Index i, auto part) { return load(u + i, part); });
    channel_sums(L, C, P, partial, b, [&](Index p, Index i, auto part) {
      return load(u + i, part) * (load(in + i, part) - load(mu + p, part));
    });
    for (Index group = 0; group < G; ++group) {
      const double r = static_cast<double>(rstd[n * G + group]);
      double A = 0, B = 0;
      for (Index c = group * width; c < (group + 1) * width; ++c) {
        b[c] *= r;
        A += static_cast<double>(gamma[c]) * a[c];
        B += static_cast<double>(gamma[c]) * b[c];
      }
      const real of_x = static_cast<real>(-r * r * B / M), of_1 = static_cast<real>(-r * A / M);
      for (Index c = group * width; c < (group + 1) * width; ++c)
        for (Index p = c; p < P; p += C) {
          slope[p] = of_x;
          shift[p] = of_1 - mu[p] * of_x;
        }
    }
    for (Index row = 0; row < L * C; row += P)
      DALE_INDEPENDENT for (Index p = 0; p < P; ++p) u[row + p] =
          scale[p] * u[row + p] + slope[p] * in[row + p] + shift[p];
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
