#include "diffusion/likelihood.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dale {

Tensor log_likelihood(const Denoiser& D, const Edm& edm, const Var& y0, const std::vector<double>& levels,
                      Trace trace, Key key, std::uint64_t first) {
  if (levels.size() < 2 || !(levels[0] > 0) || !std::is_sorted(levels.begin(), levels.end()))
    invalid("[log_likelihood] needs at least two noise levels that ascend from above 0, got {}",
            levels.size());
  const auto field = [&](const Var& y, double s) {
    // One draw of v for the whole path: the estimate is then of one integral, and the steps' errors do not
    // add up.
    const FieldAndDivergence f =
        divergence([&](const Var& at) { return (at - D(at, s)) / s; }, y, trace, key, false, first);
    return FieldAndDivergence{f.value.detach(), f.divergence.detach()};
  };
  const Index N = y0.dim(0), d = N ? y0.size() / N : 0;
  Var y = y0.detach(), integral = Tensor::full({N}, 0, y0.device());
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const double step = levels[i + 1] - levels[i];
    const FieldAndDivergence here = field(y, levels[i]), there = field(y + step * here.value, levels[i + 1]);
    y = y + step / 2 * (here.value + there.value);
    integral = integral + step / 2 * (here.divergence + there.divergence);
  }
  const double variance = levels.back() * levels.back() + edm.deviation * edm.deviation;
  const Var prior = -sum(reshape(square(y - edm.mean), {N, d}), {1}) / (2 * variance) -
                    static_cast<double>(d) / 2 * scalar::log(2 * std::numbers::pi * variance);
  return (prior + integral).value();
}

std::vector<double> bits_per_dimension(const Process& process, const Embedding& embedding, const Denoiser& D,
                                       const Edm& edm, const Tensor& data, const std::vector<double>& levels,
                                       Trace trace, Key key, std::uint64_t first) {
  const Index N = data.dim(0), d = N ? data.size() / N : 0;
  const bool pixels = embedding == Embedding{};
  const auto uniforms = [&] {
    return uniform(key.split(0), data.shape(), first * static_cast<std::uint64_t>(d), data.device());
  };
  const Var x = pixels ? 1 + (255 * Var(data) + uniforms()) / 256 : embedding.embed(data);
  const Tensor log_y = log_likelihood(D, edm, process.chart(x), levels, trace, key.split(1), first);
  const Var slope = embedding.log_slope(data);
  const Tensor log_jacobian =
      sum(reshape(process.multiplicative() ? slope - log(x) : slope, {N, d}), {1}).value();
  const std::vector<real> a = log_y.to_vector(), b = log_jacobian.to_vector();
  std::vector<double> bits;
  for (std::size_t n = 0; n < a.size(); ++n)
    bits.push_back((pixels ? 8 : 0) - (static_cast<double>(a[n]) + b[n]) / d / std::numbers::ln2);
  return bits;
}

}  // namespace dale
