// A process of one's own: the additive process vp, moved to the log chart. X forgets the data and is
// multiplied by its noise,
//   Y = log X,  dY = −½βY dt + √β dW,   hence by Itô   dX = ½β(1 − log X) X dt + √β X dW
// The reversal (IV.25) takes it from the prior back to data whose mean is known.
#include "diffusion/sampler.h"

using namespace dale;

struct Forgetting : Process {
  double beta = 8;

  Forgetting() : Process("forgetting", 1) {}
  bool multiplicative() const override { return true; }
  Var chart(const Var& x) const override { return log(x); }
  Var unchart(const Var& y) const override { return exp(y); }
  Var drift(const Var& x, double) const override { return beta / 2 * (1 - log(x)) * x; }
  Var diffusion(const Var& x, double) const override { return std::sqrt(beta) * x; }
  Var divergence(const Var& x, double) const override { return 2 * beta * x; }
  Marginal marginal(double t) const override {  // of vp
    return {scalar::exp(-beta * t / 2), 0, std::sqrt(-scalar::expm1(-beta * t))};
  }
  double time_at(double level) const override { return scalar::log1p(level * level) / beta; }
  Var hyvarinen_score(const Var& u, const Var&) const override { return u - 1; }
  Var chart_score(const Var& h, const Var&) const override { return h + 1; }
};

int main() {
  const Forgetting process;
  const double mean_log = 0.2, variance = 0.05;  // of the data, log x₀ ~ N(0.2, 0.05)
  const SteinScore score = [&](const Var& x, double t) {
    const auto [a, m, s] = process.marginal(t);
    const Var y = process.chart(x), u = (a * mean_log + m - y) / (a * a * variance + s * s);
    return process.hyvarinen_score(u, y) / x;
  };
  const Prior prior = process.prior(mean_log, std::sqrt(variance));
  const Var start = process.unchart(normal_prior({50000}, prior.mean, prior.deviation, Key{1}));
  const Var x = euler_maruyama(process, score, start, 1000, Key{2});
  fmt::print("mean {:.2f}, exactly {:.2f}; smallest above 0: {}\n", mean(x).item(),
             scalar::exp(mean_log + variance / 2), min(x).item() > 0);
}
