#include "diffusion/score_model.h"

#include <cmath>

namespace dale {
namespace {

constexpr const char* names[] = {"denoised", "noise", "score", "hyvarinen", "stein"};

/// f(t[n]) for each image as (N,1,…), to broadcast against y.
template <class F>
Var per_image(const Var& y, const std::vector<double>& t, const F& f) {
  Shape shape;
  for (int i = 0; i < y.rank(); ++i) shape.push_back(i == 0 ? y.dim(0) : 1);
  std::vector<real> values;
  for (double v : t) values.push_back(static_cast<real>(f(v)));
  return Tensor(shape, values, y.device());
}

}  // namespace

const char* str(Parameterisation p) { return names[static_cast<int>(p)]; }

Parameterisation parameterisation_named(const std::string& name) {
  for (int i = 0; i < 5; ++i)
    if (name == names[i]) return static_cast<Parameterisation>(i);
  unknown_name("parameterisation", name, {std::begin(names), std::end(names)});
}

Var ScoreModel::score(const Var& y, const std::vector<double>& t) const {
  if (y.rank() < 1 || y.dim(0) != static_cast<Index>(t.size()))
    invalid("[score] y {} must have one image for each of the {} times", str(y.shape()), t.size());
  const auto column = [&](auto f) {
    return per_image(y, t, [&](double v) { return f(process->marginal(v)); });
  };
  const Var s = column([](const Marginal& law) { return law.s; });
  const auto flat = [&](const Var& v) { return reshape(v, {y.dim(0)}); };
  const Var time = flat(per_image(y, t, [](double v) { return v; }));
  switch (meaning) {
    case Parameterisation::denoised: {
      const Var a = column([](const Marginal&law) { return law.a; }),
                m = column([](const Marginal&law) { return law.m; });
      const auto of_level = [&](double (Edm::*c)(double) const) {
        return column([&](const Marginal& law) { return (edm.*c)(law.level()); });
      };
      const Var centred = (y - m) / a - edm.mean;
      const Var F = network(of_level(&Edm::c_in) * centred, flat(of_level(&Edm::c_noise)));
      const Var D = of_level(&Edm::c_skip) * centred + of_level(&Edm::c_out) * F + edm.mean;
      return (a * D + m - y) / square(s);
    }
    case Parameterisation::noise: return -network(y, time) / s;
    case Parameterisation::score: return network(y, time);
    case Parameterisation::hyvarinen: return process->chart_score(network(y, time), y);
    case Parameterisation::stein: {
      const Var x = process->unchart(y);
      return process->chart_score(x * network(x, time), y);
    }
  }
  broken("a parameterisation without a formula");
}

Denoiser ScoreModel::denoiser() const {
  if (meaning == Parameterisation::denoised) return edm.denoiser(network);  // (3), without the way through u
  return [model = *this](const Var& y, double level) {
    const double t = model.process->time_at(level);
    const Marginal law = model.process->marginal(t);
    const Var state = law.a * y + law.m;
    const Var u = model.score(state, std::vector<double>(static_cast<std::size_t>(y.dim(0)), t));
    return y + law.s * law.s / law.a * u;
  };
}

}  // namespace dale
