// What the samplers are made of.
#pragma once

#include <numbers>
#include <utility>

#include "diffusion/sampler.h"

namespace dale {

/// Normals for a batch (N,…) that starts at image `first`.
inline Var fresh_noise(Key key, const Shape& shape, Device device, std::uint64_t first) {
  const Index images = shape.rank() ? shape[0] : 0;
  const Index each_size = images ? element_count(shape) / images : 0;
  return normal(key, shape, first * static_cast<std::uint64_t>(each_size), device);
}
inline Var fresh_noise(Key key, const Var& like, std::uint64_t first) {
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
  return sampled([&](FiniteSteps& finite) {
    Var y = start;
    Step own = step;
    for (std::size_t i = 0; i + 1 < levels.size(); ++i)
      y = finite([&] { return own(y, levels[i], levels[i + 1]); });
    return y;
  });
}

/// Calls step(t, δ, factor of Z) for each level from T down to δ. Throws std::invalid_argument for settings
/// that are none.
template <class Step> void in_time(double T, const Langevin& how, const Step& step) {
  if (how.steps < 1) invalid("a sampler needs at least 1 step, not {}", how.steps);
  if (how.delta < 0 || how.repeats < 1 || !(how.anneal > 0))
    invalid("a Langevin sampler needs delta ≥ 0, repeats ≥ 1 and anneal > 0, not {}, {} and {}", how.delta,
            how.repeats, how.anneal);
  const double delta = how.delta > 0 ? how.delta : T / how.steps;
  double factor = 1;
  for (int k = 0; k < how.steps; ++k, factor *= how.anneal)
    step(T * (how.steps - k) / how.steps, delta, factor);
}

/// (IV.22)
inline Var heun_step(const Denoiser& D, const Var& y, double s, double next) {
  const Var d = (y - D(y, s)) / s;
  const Var euler = y + (next - s) * d;
  if (next == 0) return euler;
  return y + (next - s) / 2 * (d + (euler - D(euler, next)) / next);
}

}  // namespace dale
