#include "diffusion/loss.h"

#include <cmath>

namespace dale {

Var denoising_loss(const Network& network, const Edm& edm, const Tensor& y0, Key key, std::uint64_t first) {
  const Index N = y0.dim(0);
  const std::uint64_t pixels = N ? static_cast<std::uint64_t>(y0.size() / N) : 0;
  const std::vector<real> xi = normal(key.split(0), {N}, first).to_vector();
  std::vector<real> s, c_in, c_noise, skip, out;
  for (real v : xi) {
    const double level = std::exp(edm.p_mean() + Edm::p_deviation * static_cast<double>(v));
    s.push_back(static_cast<real>(level));
    c_in.push_back(static_cast<real>(edm.c_in(level)));
    c_noise.push_back(static_cast<real>(edm.c_noise(level)));
    skip.push_back(static_cast<real>(edm.c_skip(level)));
    out.push_back(static_cast<real>(1 / edm.c_out(level)));
  }
  const auto column = [&](const std::vector<real>& v) { return Var(Tensor({N, 1, 1, 1}, v, y0.device())); };

  const Var z = normal(key.split(1), y0.shape(), first * pixels, y0.device());
  const Var centred = Var(y0) - edm.mean;
  const Var y_t = centred + column(s) * z;
  const Var target = (centred - column(skip) * y_t) * column(out);
  return mean_squared_error(network(column(c_in) * y_t, Var(Tensor({N}, c_noise, y0.device()))), target);
}

Var multiplicative_score_loss(const Var& h_model, const Var& y_t, const Var& y0, const Var& s) {
  const Var h = -1 - (y_t - y0) / square(s);
  return 0.5 * mean_squared_error(h_model, h);
}

}  // namespace dale
