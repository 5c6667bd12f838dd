// The samplers of the frame, and what all samplers share.
#include "diffusion/sampler.h"

#include <algorithm>
#include <cmath>

#include "diffusion/steps.h"

namespace dale {

std::vector<double> edm_levels(int steps, double s_min, double s_max, double rho) {
  if (steps < 1) invalid("a sampler needs at least 1 step, not {}", steps);
  if (!(s_min > 0) || !(s_min < s_max) || !std::isfinite(s_max))
    invalid("noise levels need 0 < s_min < s_max, not s_min {} and s_max {}", s_min, s_max);
  std::vector<double> levels;
  const double top = scalar::power(s_max, 1 / rho), bottom = scalar::power(s_min, 1 / rho);
  for (int i = 0; i < steps; ++i)
    levels.push_back(i == 0 ? s_max : scalar::power(top + (bottom - top) * i / (steps - 1), rho));
  levels.push_back(0);
  return levels;
}

std::vector<double> edm_levels(const Process& process, int steps, double s_min, double s_max) {
  return edm_levels(steps, s_min, std::min(s_max, process.marginal(process.T()).level()));
}

Var normal_prior(const Shape& shape, double mean, double deviation, Key key, std::uint64_t first,
                 Device device) {
  return fresh_noise(key, shape, device, first) * deviation + mean;
}

Var take_steps(const Denoiser& D, Var start, const Steps& steps, Key key, std::uint64_t first) {
  return sampled([&](FiniteSteps& finite) {
    Var y = start;
    std::uint64_t number = 0;
    for (const Step& step : steps)
      for (int r = 0; r < step.repeats; ++r, ++number)
        y = finite([&] {
          const Var mean = D(y, step.s), kept = mean + step.keep * (y - mean);
          return step.noise == 0 ? kept : kept + step.noise * fresh_noise(key.split(number), y, first);
        });
    return y;
  });
}

namespace {

/// A step (IV.18) for each pair of neighbouring levels, by rule(s, s′).
template <class Rule> Steps steps_along(const std::vector<double>& levels, const Rule& rule) {
  Steps steps;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const double s = levels[i], next = levels[i + 1];
    if (!(s > next && next >= 0))
      invalid("noise levels must fall, and none be below 0: not {} to {}", s, next);
    steps.push_back(next == 0 ? Step{s, 0} : rule(s, next));
  }
  if (steps.empty()) invalid("a sampler needs at least two noise levels, not {}", levels.size());
  return steps;
}

void expect_eta(double eta) {
  if (!(eta >= 0)) invalid("eta is {}; it must be 0 (probability flow) or more (1 is Dale-Langevin)", eta);
}

/// Dale–Langevin's step, with η, that takes Δ of variance off.
Step langevin_step(double s, double delta, double eta) {
  return {s, 1 - (1 + eta * eta) / 2 * delta / (s * s), eta * std::sqrt(delta)};
}

}  // namespace

Steps ddim_steps(const std::vector<double>& levels) {
  return steps_along(levels, [](double s, double next) { return Step{s, next / s}; });
}
Steps ancestral_steps(const std::vector<double>& levels) {
  return steps_along(levels, [](double s, double next) {
    const double ratio = next * next / (s * s);
    return Step{s, ratio, next * std::sqrt(1 - ratio)};
  });
}
Steps dale_langevin_steps(const std::vector<double>& levels, double eta) {
  expect_eta(eta);
  return steps_along(levels,
                     [=](double s, double next) { return langevin_step(s, s * s - next * next, eta); });
}

Steps uniform_steps(const GeometricBrownianMotion& gbm, const Langevin& how, double eta) {
  expect_eta(eta);
  Steps steps;
  in_time(gbm.T(), how, [&](double t, double delta, double factor) {
    Step step = langevin_step(gbm.marginal(t).s, delta * gbm.sigma(t) * gbm.sigma(t), eta);
    step.noise *= factor;
    step.repeats = how.repeats;
    steps.push_back(step);
  });
  return steps;
}

Var ddim(const Denoiser& D, Var y, const std::vector<double>& levels) {
  return take_steps(D, y, ddim_steps(levels), Key{});
}

Var heun(const Denoiser& D, Var y, const std::vector<double>& levels) {
  return along(levels, y, [&](const Var& y, double s, double next) { return heun_step(D, y, s, next); });
}

Var dpm_solver(const Denoiser& D, Var y, const std::vector<double>& levels) {
  return along(
      levels, y, [&D, before = Var(), lambda_before = 0.0](const Var& y, double s, double next) mutable {
        const Var mean = D(y, s), old = before;
        before = mean;
        if (next == 0) return mean;
        const double lambda = scalar::log(s / next), r = std::exchange(lambda_before, lambda) / lambda;
        const Var extrapolated = old.value().defined() ? (1 + 1 / (2 * r)) * mean - 1 / (2 * r) * old : mean;
        return (next / s) * y - scalar::expm1(-lambda) * extrapolated;
      });
}

Var stochastic_heun(const Denoiser& D, Var y, const std::vector<double>& levels, const Churn& c, Key key,
                    std::uint64_t first) {
  const double most = std::min(c.churn / static_cast<double>(levels.size() - 1), std::numbers::sqrt2 - 1);
  return along(levels, y, [&, k = std::uint64_t{0}](const Var& y, double s, double next) mutable {
    const double raised = s >= c.s_min && s <= c.s_max ? s * (1 + most) : s;
    const Var z = fresh_noise(key.split(k++), y, first);
    return heun_step(D, y + std::sqrt(raised * raised - s * s) * c.s_noise * z, raised, next);
  });
}

}  // namespace dale
