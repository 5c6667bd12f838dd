// What the samplers are made of.
#pragma once

#include <numbers>
#include <utility>

#include "autograd/anomaly.h"
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

/// y through step(y, s, s′) for neighbouring levels. A step that fails is run again to find the op, so what
/// it remembers from step to step may then be wrong; its result is not used.
template <class Step>
Var along(const std::vector<double>& levels, Var y, const Step& step) {
  const NoGrad off;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i)
    y = finite_step("sampling step", static_cast<Index>(i + 1),
                    [&] { return step(y, levels[i], levels[i + 1]); });
  return y;
}

/// (7)
inline Var heun_step(const Denoiser& D, const Var& y, double s, double next) {
  const Var d = (y - D(y, s)) / s;
  const Var euler = y + (next - s) * d;
  if (next == 0) return euler;
  return y + (next - s) / 2 * (d + (euler - D(euler, next)) / next);
}

}  // namespace dale
