#include "diffusion/consistency.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dale {

double earlier_level(const Edm& edm, const ConsistencySettings& o, int stage, double t) {
  if (stage < 1) invalid("the stage of consistency tuning is {}; it must be 1 or more", stage);
  const double closeness = scalar::power(o.q, -stage) * (1 + 8 / (1 + scalar::exp(t / (2 * edm.deviation))));
  const double r = t * (1 - closeness);
  return r < o.s_min ? 0 : r;
}

std::vector<Tensor> consistency_inputs(const Edm& edm, const ConsistencySettings& o, int stage,
                                       const Tensor& y0, Key key, std::uint64_t first) {
  const Index N = y0.dim(0);
  const std::uint64_t pixels = N ? static_cast<std::uint64_t>(y0.size() / N) : 0;
  std::vector<real> levels[2];
  for (real xi : normal(key.split(0), {N}, first).to_vector()) {
    const double t = std::clamp(o.law.level(edm, xi), o.s_min, o.s_max_factor * edm.deviation);
    levels[0].push_back(static_cast<real>(t));
    levels[1].push_back(static_cast<real>(earlier_level(edm, o, stage, t)));
  }
  const Shape shape = shape_along(0, N, y0.rank());
  const Var z = normal(key.split(1), y0.shape(), first * pixels, y0.device()), clean = Var(y0) - edm.mean;
  std::vector<Tensor> inputs;
  for (const std::vector<real>& of_images : levels) {
    const Tensor s(shape, of_images, y0.device());
    inputs.insert(inputs.end(), {(clean + Var(s) * z).value(), s});
  }
  return inputs;
}

Var consistency_loss(const Network& network, const Edm& edm, const ConsistencySettings& o,
                     const std::vector<Tensor>& in) {
  const real deviation = static_cast<real>(edm.deviation);
  const Index N = in[0].dim(0), pixels = N ? in[0].size() / N : 0;
  const auto f = [&](const Var& y, const Var& s) {  // (IV.11) with a level per image, less ȳ
    const Var total = square(s) + deviation * deviation, root = sqrt(total);
    // Where s is 0 the network's part is 0, whatever it is asked.
    const Var c_noise = log(clamp(s, static_cast<real>(o.s_min), std::numeric_limits<real>::max())) / 4;
    return deviation * deviation / total * y +
           deviation * s / root * network(y / root, reshape(c_noise, {N}));
  };
  const Var target = [&] {
    const NoGrad off;
    return f(in[2], in[3]);
  }();
  const Var squared = sum(square(reshape(f(in[0], in[1]) - target, {N, pixels})), {1});
  const real c = static_cast<real>(o.c * edm.deviation * std::sqrt(static_cast<double>(pixels)));
  return mean((sqrt(squared + c * c) - c) / reshape(Var(in[1]) - Var(in[3]), {N}));
}

std::vector<double> consistency_levels(double s_max, double deviation, int steps,
                                       const std::vector<double>& between) {
  if (!between.empty() && static_cast<int>(between.size()) != steps - 1)
    invalid("{} steps have {} levels between, not {}", steps, steps - 1, between.size());
  std::vector<double> levels{s_max};
  for (int i = 0; i + 1 < steps; ++i) {
    const double place = steps == 2 ? 0.5 : static_cast<double>(i) / (steps - 2);
    const double factor =
        between.empty() ? 4 * scalar::power(0.2, place) : between[static_cast<std::size_t>(i)];
    levels.push_back(factor * deviation);
  }
  levels.push_back(0);
  return levels;
}

Steps consistency_steps(const std::vector<double>& levels) {
  Steps steps = ddim_steps(levels);  // which checks them
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = {levels[i], 0, levels[i + 1]};
  return steps;
}

}  // namespace dale
