#include "diffusion/sampler.h"

#include <cmath>

#include "autograd/anomaly.h"

namespace dale {
namespace {

void check_steps(int steps) {
  if (steps < 1) invalid("a sampler needs at least 1 step, not {}", steps);
}

}  // namespace

std::vector<double> edm_levels(int steps, double s_min, double s_max, double rho) {
  check_steps(steps);
  if (!(s_min > 0) || !(s_min < s_max) || !std::isfinite(s_max))
    invalid("noise levels need 0 < s_min < s_max, not s_min {} and s_max {}", s_min, s_max);
  std::vector<double> levels;
  const double top = std::pow(s_max, 1 / rho), bottom = std::pow(s_min, 1 / rho);
  for (int i = 0; i < steps; ++i)
    levels.push_back(i == 0 ? s_max : std::pow(top + (bottom - top) * i / (steps - 1), rho));
  levels.push_back(0);
  return levels;
}

Var normal_prior(const Shape& shape, double mean, double deviation, Key key, std::uint64_t first, Device device) {
  const std::uint64_t each_size = shape[0] ? static_cast<std::uint64_t>(element_count(shape) / shape[0]) : 0;
  return Var(normal(key, shape, first * each_size, device)) * deviation + mean;
}

Var probability_flow(const Denoiser& D, Var y, const std::vector<double>& levels) {
  const NoGrad off;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const double s = levels[i], next = levels[i + 1];
    y = finite_step("sampling step", static_cast<Index>(i + 1), [&] {
      const Var d = (y - D(y, s)) / s;
      const Var euler = y + (next - s) * d;
      if (next == 0) return euler;
      return y + ((next - s) / 2) * (d + (euler - D(euler, next)) / next);
    });
  }
  return y;
}

HyvarinenScore score_of(const Denoiser& D, const GeometricBrownianMotion& gbm) {
  return [D, gbm](const Var& y, double t) {
    const double s = gbm.s(t);
    return (D(y, s) - y) / (s * s) - 1;
  };
}

Var dale_langevin(const HyvarinenScore& h, Var log_x, const GeometricBrownianMotion& gbm, int steps, Key key,
                  std::uint64_t first) {
  check_steps(steps);
  const NoGrad off;
  const double delta = gbm.T / steps, variance = gbm.sigma * gbm.sigma;
  const Shape shape = log_x.shape();
  const std::uint64_t each_size = shape[0] ? static_cast<std::uint64_t>(log_x.size() / shape[0]) : 0;
  for (int k = 0; k < steps; ++k) {
    const double t = gbm.T * (steps - k) / steps;
    log_x = finite_step("sampling step", k + 1, [&] {
      const Var z = normal(key.split(static_cast<std::uint64_t>(k)), shape, first * each_size, log_x.device());
      const Var drift = (delta * variance) * h(log_x, t) - (delta * (gbm.mu - 1.5 * variance));
      return log_x + drift + (std::sqrt(delta) * gbm.sigma) * z;
    });
  }
  return log_x;
}

}  // namespace dale
