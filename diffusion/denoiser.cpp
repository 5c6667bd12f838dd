#include "diffusion/denoiser.h"

#include <cmath>

#include "tensor/captured.h"

namespace dale {
namespace {

constexpr const char* names[] = {"denoised", "noise", "score", "hyvarinen", "stein"};

}  // namespace

Network captured(Network network) {
  auto graphs = std::make_shared<Captured>([network](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{network(in[0], in[1]).value()};
  });
  return [network, graphs](const Var& x, const Var& c_noise) -> Var {
    if (recording() || mode(Mode::checks)) return network(x, c_noise);
    const Tensor F = (*graphs)({x.value(), c_noise.value()})[0];
    if (F.device() == Device::cpu) return F;
    const Tensor kept = raw::laid_out_like(F, F.shape());  // the next call writes F again
    raw::copy_into(kept, F);
    return kept;
  };
}

Edm Edm::fitted(const Tensor& y) {
  const std::vector<real> values = y.to_vector();
  double sum = 0, squares = 0;
  for (real v : values) sum += static_cast<double>(v);
  const double n = static_cast<double>(values.size()), mean = sum / n;
  for (real v : values) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  const double deviation = std::sqrt(squares / n);
  if (!std::isfinite(mean) || !(deviation > 0) || !std::isfinite(deviation))
    invalid("the data has mean {} and standard deviation {} in the chart; it must vary and be finite", mean,
            deviation);
  return {mean, deviation};
}

Denoiser Edm::denoiser(Network network) const {
  return [edm = *this, network = std::move(network)](const Var& y, double s) {
    const Var centred = y - edm.mean;
    const Var noise_level = Var(Tensor::full({y.dim(0)}, edm.c_noise(s), y.device()));
    const Var F = network(centred * edm.c_in(s), noise_level);
    return centred * edm.c_skip(s) + F * edm.c_out(s) + edm.mean;
  };
}

const char* str(Parameterisation p) { return names[static_cast<int>(p)]; }

Parameterisation parameterisation_named(const std::string& name) {
  for (int i = 0; i < 5; ++i)
    if (name == names[i]) return static_cast<Parameterisation>(i);
  unknown_name("parameterisation", name, {std::begin(names), std::end(names)});
}

Tensor ScoreModel::schedule(const std::vector<double>& t, Device device) const {
  std::vector<real> values;
  for (double time : t) {
    const Marginal law = process->marginal(time);
    const double level = law.level();
    for (double of_image : {time, law.a, law.m, law.s, edm.c_in(level), edm.c_noise(level), edm.c_skip(level),
                            edm.c_out(level)})
      values.push_back(static_cast<real>(of_image));
  }
  return Tensor({std::ssize(t), quantities}, values, device);
}

Var ScoreModel::column(const Tensor& schedule, Quantity k, int rank) {
  return schedule.slice(1, k, k + 1).reshape(shape_along(0, schedule.dim(0), rank));
}

Var ScoreModel::score(const Var& y, const Tensor& schedule) const {
  if (y.rank() < 1 || y.dim(0) != schedule.dim(0))
    invalid("[score] y {} must have one image for each of the {} times", str(y.shape()), schedule.dim(0));
  const auto of = [&](Quantity k) { return column(schedule, k, y.rank()); };
  const auto flat = [&](Quantity k) { return column(schedule, k, 1); };
  const Var s = of(law_s);
  switch (meaning) {
    case Parameterisation::denoised: {
      const Var a = of(law_a), m = of(law_m), centred = (y - m) / a - edm.mean;
      const Var D = of(c_skip) * centred + of(c_out) * network(of(c_in) * centred, flat(c_noise)) + edm.mean;
      return (a * D + m - y) / square(s);
    }
    case Parameterisation::noise:
      return -network(y, flat(time)) / s;
    case Parameterisation::score:
      return network(y, flat(time));
    case Parameterisation::hyvarinen:
      return process->chart_score(network(y, flat(time)), y);
    case Parameterisation::stein: {
      const Var x = process->unchart(y);
      return process->chart_score(x * network(x, flat(time)), y);
    }
  }
  broken("a parameterisation without a formula");
}

Denoiser ScoreModel::denoiser() const {
  if (meaning == Parameterisation::denoised) return edm.denoiser(network);  // (IV.11), not by way of u
  return [model = *this](const Var& y, double level) {
    const double t = model.process->time_at(level);
    const Marginal law = model.process->marginal(t);
    const Var state = law.a * y + law.m;
    const std::vector<double> times(static_cast<std::size_t>(y.dim(0)), t);
    const Var u = model.score(state, model.schedule(times, y.device()));
    return y + law.s * law.s / law.a * u;
  };
}

Denoiser guided(Denoiser with_class, Denoiser without, double w) {
  if (w == 1) return with_class;
  if (w == 0) return without;
  return [with_class = std::move(with_class), without = std::move(without), w](const Var& y, double s) {
    const Var none = without(y, s);
    return none + w * (with_class(y, s) - none);
  };
}

Denoiser replaced(Denoiser D, Var known, Var mask) {
  return [D = std::move(D), known = std::move(known), mask = std::move(mask)](const Var& y, double s) {
    const Var free = D(y, s);
    return where(broadcast_to(mask, free.shape()), broadcast_to(known, free.shape()), free);
  };
}

}  // namespace dale
