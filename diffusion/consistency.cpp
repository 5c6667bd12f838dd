#include "diffusion/consistency.h"

#include <algorithm>
#include <cmath>

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
  // Per level a row of: the level, c_in, c_noise, c_skip, c_out, one number per image.
  std::vector<std::vector<real>> rows(2 * 5), weight(1);
  const auto add = [&](std::size_t at, double s) {
    const double asked = std::max(s, o.s_min);  // where r is 0 the network's part is 0, whatever it is asked
    const double numbers[] = {s, edm.c_in(asked), edm.c_noise(asked), edm.c_skip(s),
                              s == 0 ? 0 : edm.c_out(s)};
    for (std::size_t k = 0; k < 5; ++k) rows[at + k].push_back(static_cast<real>(numbers[k]));
  };
  for (real xi : normal(key.split(0), {N}, first).to_vector()) {
    const double t =
        std::clamp(o.law.level(edm, static_cast<double>(xi)), o.s_min, o.s_max_factor * edm.deviation);
    const double r = earlier_level(edm, o, stage, t);
    add(0, t);
    add(5, r);
    weight[0].push_back(static_cast<real>(1 / (t - r)));
  }
  Shape shape{N};
  while (shape.rank() < y0.rank()) shape.push_back(1);
  const Var z = normal(key.split(1), y0.shape(), first * pixels, y0.device()), clean = Var(y0) - edm.mean;
  const auto column = [&](std::size_t k) { return Var(Tensor(shape, rows[k], y0.device())); };
  std::vector<Tensor> inputs;
  for (std::size_t at : {0, 5}) {
    const Var y = clean + column(at) * z;
    for (const Var& v : {column(at + 1) * y, Var(Tensor({N}, rows[at + 2], y0.device())), column(at + 3) * y,
                         column(at + 4)})
      inputs.push_back(v.value());
  }
  inputs.push_back(Tensor({N}, weight[0], y0.device()));
  const double c = o.c * edm.deviation * std::sqrt(static_cast<double>(pixels));
  inputs.push_back(Tensor({1}, {static_cast<real>(c)}, y0.device()));
  return inputs;
}

Var consistency_loss(const Network& network, const std::vector<Tensor>& in) {
  const auto f = [&](std::size_t at) {  // less ȳ
    return Var(in[at + 2]) + Var(in[at + 3]) * network(in[at], in[at + 1]);
  };
  const Var target = [&] {
    const NoGrad off;
    return f(4);
  }();
  const Var gap = f(0) - target, weight = in[8], c = in[9];
  const Index N = gap.dim(0);
  return mean(weight * (sqrt(sum(square(reshape(gap, {N, N ? gap.size() / N : 0})), {1}) + square(c)) - c));
}

Steps consistency_steps(const std::vector<double>& levels) {
  Steps steps = ddim_steps(levels);  // which checks them
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = {levels[i], 0, levels[i + 1]};
  return steps;
}

}  // namespace dale
