// The samplers that follow a process in time.
#include <cmath>

#include "diffusion/steps.h"

namespace dale {
namespace {

/// in_time with repeats: step(t, δ, factor of Z, number).
template <class Step> void walk(double T, const Langevin& how, const Step& step) {
  std::uint64_t number = 0;
  in_time(T, how, [&](double t, double delta, double factor) {
    for (int r = 0; r < how.repeats; ++r) step(t, delta, factor, number++);
  });
}

}  // namespace

HyvarinenScore score_of(const Denoiser& D, const GeometricBrownianMotion& gbm) {
  return [D, gbm](const Var& y, double t) {
    const double s = gbm.marginal(t).s;
    return gbm.hyvarinen_score((D(y, s) - y) / (s * s), y);
  };
}

Var euler_maruyama(const Process& process, const SteinScore& score, Var start, int steps, Key key,
                   std::uint64_t first) {
  return sampled([&](FiniteSteps& finite) {
    Var x = start;
    walk(process.T(), {steps}, [&](double t, double delta, double, std::uint64_t number) {
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
  return sampled([&](FiniteSteps& finite) {
    SignedState state{log_x, Var(Tensor::full(log_x.shape(), 1, log_x.device()))};
    Var changes = Tensor::full(log_x.shape(), 0, log_x.device());
    walk(gbm.T(), how, [&](double t, double delta, double factor, std::uint64_t number) {
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
