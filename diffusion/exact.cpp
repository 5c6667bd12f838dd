#include "diffusion/exact.h"

namespace dale {

HyvarinenScore LogNormal::score(const GeometricBrownianMotion& gbm) const {
  return [p = *this, gbm](const Var& y, double t) {
    const double variance = p.v + gbm.s(t) * gbm.s(t);
    return -1 - (y - (p.a + gbm.m(t))) / variance;
  };
}

Denoiser LogNormal::denoiser() const {
  return [p = *this](const Var& y, double s) {
    const double total = p.v + s * s;
    return y * (p.v / total) + (s * s * p.a / total);
  };
}

LogNormal::Moments LogNormal::dale_langevin_moments(const GeometricBrownianMotion& gbm, int steps) const {
  // With (9) a step is y ← y − δσ²(y − a − m)/(v + s²) − δ(μ − σ²/2) + √δ σ Z.
  const double delta = gbm.T / steps, noise = delta * gbm.sigma * gbm.sigma;
  double mean = a + gbm.m(gbm.T), variance = v + gbm.s(gbm.T) * gbm.s(gbm.T);
  for (int k = 0; k < steps; ++k) {
    const double t = gbm.T * (steps - k) / steps, pull = noise / (v + gbm.s(t) * gbm.s(t));
    mean += -pull * (mean - a - gbm.m(t)) - delta * (gbm.mu - gbm.sigma * gbm.sigma / 2);
    variance = (1 - pull) * (1 - pull) * variance + noise;
  }
  return {mean, variance};
}

}  // namespace dale
