// Problems whose every answer is known.
//
// One log-normal, y₀ = log x₀ ~ N(a, v) in each coordinate. At time t, with m and s of the process,
//   y_t ~ N(a + m, v + s²),   h = −1 − (y_t − a − m)/(v + s²),                                       (IV.6)
//   D(y; s) = (v y + s² a)/(v + s²)   in the frame, y = y_t − m
// and every sampler (IV.18) is a linear Gaussian recursion, so its variance after any steps is known too.
//
// A mixture of K isotropic normals in the chart: p_s is the same mixture with each variance increased by s²,
//   D(y; s) = Σ_k r_k (v_k y + s² μ_k)/(v_k + s²),  r = softmax_k( log w_k + log N(y; μ_k, v_k + s²) ) (IV.7)
#pragma once

#include "diffusion/sampler.h"

namespace dale {

struct LogNormal {
  double a, v;

  Denoiser denoiser() const;

  /// Of y after these steps of (IV.18), from the exact p at the level of the first; its mean stays a.
  double variance_after(const Steps& steps) const;
};

struct Mixture {
  std::vector<double> weights;             // K, sum 1
  std::vector<std::vector<double>> means;  // K points of dimension d
  std::vector<double> deviations;          // K

  /// Three normals in one dimension, two of them narrow: the reference of the studies.
  static Mixture narrow();
  /// Three normals of different widths in d dimensions.
  static Mixture in_dimension(Index d);

  Index dimension() const { return static_cast<Index>(means[0].size()); }
  /// log p_s(y) (N) and E[y₀|y] (N,d) at level s ≥ 0, for y (N,d).
  Var log_density(const Var& y, double s) const;
  Var mean(const Var& y, double s) const;
  Denoiser denoiser() const {
    return [p = *this](const Var& y, double s) { return p.mean(y, s); };
  }
  /// n exact draws of y₀ (n,d).
  Tensor draw(Index n, Key key) const;
  /// In one dimension: the quantiles (i + ½)/n of p_s, i = 0 … n−1, ascending. They stand for p_s without
  /// noise.
  std::vector<double> quantiles(Index n, double s) const;

 private:
  Var log_joint(const Var& y, double s) const;  // log w_k + log N(y; μ_k, v_k + s²), (N,K)
};

/// Wasserstein-1 distance between two samples of one size: the mean distance of the sorted values. In more
/// dimensions, sliced: the mean over `directions` random directions (N(0, I), scaled to length 1) of the
/// distance of the projections of a and b. REQUIRES a and b (N,d) of one N ≥ 1, directions ≥ 1.
double wasserstein(std::vector<double> a, std::vector<double> b);
/// The element of ascending values below which a share q in [0, 1] of them lies. REQUIRES one at least.
double quantile(const std::vector<double>& ascending, double q);
double sliced_wasserstein(const Tensor& a, const Tensor& b, int directions, Key key);

/// n points (n,2) on two spirals in the positive quadrant, centred at (5,5): all coordinates between 1 and 9.
Tensor spirals(Index n, Key key);

}  // namespace dale
