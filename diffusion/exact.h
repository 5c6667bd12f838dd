// A problem whose every answer is known: one log-normal, y₀ = log x₀ ~ N(a, v) in each coordinate. At time t,
//   y_t ~ N(a + m, v + s²),   h = −1 − (y − a − m)/(v + s²),   D(y; s) = (v y + s² a)/(v + s²)  (m = 0)    (9)
// and the Dale–Langevin sampler (8) is a linear Gaussian recursion, so its mean and variance after any number of steps
// are known too.
#pragma once

#include "diffusion/sampler.h"

namespace dale {

struct LogNormal {
  double a, v;

  HyvarinenScore score(const GeometricBrownianMotion& gbm) const;
  Denoiser denoiser() const;

  struct Moments {
    double mean, variance;
  };
  /// Of log x after `steps` steps of (8) from the exact p_T.
  Moments dale_langevin_moments(const GeometricBrownianMotion& gbm, int steps) const;
};

}  // namespace dale
