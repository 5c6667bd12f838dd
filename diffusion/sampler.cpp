// The samplers by noise level, and those that follow a process in time.
#include "diffusion/sampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace dale {
namespace {

/// Normals for a batch (N,…) that starts at image `first`.
Var fresh_noise(Key key, const Shape& shape, Device device, std::uint64_t first) {
  const Index images = shape.rank() ? shape[0] : 0;
  const Index each_size = images ? element_count(shape) / images : 0;
  return normal(key, shape, first * static_cast<std::uint64_t>(each_size), device);
}
Var fresh_noise(Key key, const Var& like, std::uint64_t first) {
  return fresh_noise(key, like.shape(), like.device(), first);
}

/// A loop of sampling steps (finite_loop of var.h), without recording.
template <class Loop> auto sampled(const Loop& loop) {
  const NoGrad off;
  return finite_loop("sampling step", loop);
}

/// y through step(y, s, s′) for neighbouring levels. Each run of the loop has its own copy of the step, and
/// of what that remembers from level to level.
template <class Step> Var along(const std::vector<double>& levels, const Var& start, const Step& step) {
  return sampled([&](const auto& finite) {
    Var y = start;
    Step own = step;
    for (std::size_t i = 0; i + 1 < levels.size(); ++i)
      y = finite([&] { return own(y, levels[i], levels[i + 1]); });
    return y;
  });
}

/// Calls step(t, δ, factor of Z, number) `repeats` times for each level from T down to δ. Throws
/// std::invalid_argument for settings that are none.
template <class Step> void in_time(double T, const Langevin& how, const Step& step) {
  if (how.steps < 1) invalid("a sampler needs at least 1 step, not {}", how.steps);
  if (how.delta < 0 || how.repeats < 1 || !(how.anneal > 0))
    invalid("a Langevin sampler needs delta ≥ 0, repeats ≥ 1 and anneal > 0, not {}, {} and {}", how.delta,
            how.repeats, how.anneal);
  const double delta = how.delta > 0 ? how.delta : T / how.steps;
  double factor = 1;
  std::uint64_t number = 0;
  for (int k = 0; k < how.steps; ++k, factor *= how.anneal)
    for (int r = 0; r < how.repeats; ++r) step(T * (how.steps - k) / how.steps, delta, factor, number++);
}

/// (IV.22)
Var heun_step(const Denoiser& D, const Var& y, double s, double next) {
  const Var d = (y - D(y, s)) / s;
  const Var euler = y + (next - s) * d;
  if (next == 0) return euler;
  return y + (next - s) / 2 * (d + (euler - D(euler, next)) / next);
}

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
  return sampled([&](const auto& finite) {
    Var y = start;
    std::uint64_t number = 0;
    for (const Step& step : steps) {
      const Key draw = key.split(number++);
      y = finite([&] {
        const Var mean = D(y, step.s), kept = mean + step.keep * (y - mean);
        return step.noise == 0 ? kept : kept + step.noise * fresh_noise(draw, y, first);
      });
    }
    return y;
  });
}

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
  in_time(gbm.T(), how, [&](double t, double delta, double factor, std::uint64_t) {
    steps.push_back(langevin_step(gbm.marginal(t).s, delta * gbm.sigma(t) * gbm.sigma(t), eta));
    steps.back().noise *= factor;
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

HyvarinenScore score_of(const Denoiser& D, const GeometricBrownianMotion& gbm) {
  return [D, gbm](const Var& y, double t) {
    const double s = gbm.marginal(t).s;
    return gbm.hyvarinen_score((D(y, s) - y) / (s * s), y);
  };
}

Var euler_maruyama(const Process& process, const SteinScore& score, Var start, int steps, Key key,
                   std::uint64_t first) {
  return sampled([&](const auto& finite) {
    Var x = start;
    in_time(process.T(), {steps}, [&](double t, double delta, double, std::uint64_t number) {
      x = finite([&] {
        const Var G = process.diffusion(x, t), z = fresh_noise(key.split(number), x, first);
        const Var reverse = process.drift(x, t) - process.divergence(x, t) - square(G) * score(x, t);
        return x - delta * reverse + std::sqrt(delta) * G * z;
      });
    });
    return x;
  });
}

SignedState unconstrained(const HyvarinenScore& h, const Var& log_x, const GeometricBrownianMotion& gbm,
                          const Langevin& how, Key key, std::uint64_t first) {
  return sampled([&](const auto& finite) {
    SignedState state{log_x, Var(Tensor::full(log_x.shape(), 1, log_x.device()))};
    Var changes = Tensor::full(log_x.shape(), 0, log_x.device());
    in_time(gbm.T(), how, [&](double t, double delta, double factor, std::uint64_t number) {
      const double sigma = gbm.sigma(t), variance = sigma * sigma;
      Var flipped;
      state.log_x = finite([&] {
        const Var z = fresh_noise(key.split(number), log_x, first);
        const Var multiplier = 1 - delta * gbm.mu(t) + 2 * delta * variance +
                               delta * variance * h(state.log_x, t) + std::sqrt(delta) * sigma * factor * z;
        flipped = less(multiplier, constant(0, log_x));
        return state.log_x + log(abs(multiplier));
      });
      state.sign = state.sign * (1 - 2 * flipped);
      changes = changes + flipped;
    });
    for (real of_element : changes.value().to_vector()) state.sign_changes += static_cast<Index>(of_element);
    return state;
  });
}

const PaperConstants& paper_constants(std::string_view dataset) {
  static constexpr PaperConstants table[] = {
      {"mnist", {1000, 6.1655e-4, 1, 0.995}, {1000, 1.43845e-4, 4, 0.995}, 0.15652, 0.83528},
      {"fashion-mnist", {1000, 5.8627e-4, 1, 0.995}, {1000, 1.467799e-3, 3, 0.9995}, 0.27713, 0.84283},
      {"kmnist", {1000, 2.11316e-4, 3, 0.995}, {1000, 2.11316e-4, 3, 1.0}, 0.21402, 0.82904}};
  for (const PaperConstants& row : table)
    if (dataset == row.dataset) return row;
  unknown_name("data set of the paper", std::string(dataset), {"mnist", "fashion-mnist", "kmnist"});
}

}  // namespace dale
