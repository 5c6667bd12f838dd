// gbm: noise multiplies. The chart is the logarithm:
//   y = log x,   u = ∇_y log p_Y = 1 + x ∘ ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X = u − 1,
//   ∇·(GGᵀ) = ∂(σ²x²)/∂x = 2σ²x
#pragma once

#include <cmath>

#include "diffusion/process.h"

namespace dale {

/// dX = μX dt + σX dW; σ² and μ constant or linear in time. By Itô, for Y = log X,
///   dY = (μ − σ²/2) dt + σ dW                                                                     (IV.2)
class GeometricBrownianMotion : public Process {
 public:
  /// The paper's setting: σ = 0.8, μ = σ²/2 (hence m = 0), T = 1.
  GeometricBrownianMotion() : GeometricBrownianMotion({0.64}, {0.32}, 1) {}
  GeometricBrownianMotion(LinearRate variance, LinearRate mu, double T, std::string name = "gbm-paper")
      : Process(std::move(name), T), variance_(variance), mu_(mu) {
    variance.expect_noise(this->name(), T);
  }
  /// Constant σ and μ = σ²/2.
  static GeometricBrownianMotion driftless(double sigma, double T) {
    if (!(sigma > 0) || !(T > 0))
      invalid("geometric Brownian motion needs sigma > 0 and T > 0, not {} and {}", sigma, T);
    return {{sigma * sigma}, {sigma * sigma / 2}, T};
  }

  bool multiplicative() const override { return true; }
  Var chart(const Var& x) const override { return log(x); }
  Var unchart(const Var& y) const override { return exp(y); }
  Var diffusion(const Var& x, double t) const override { return sigma(t) * x; }
  Var divergence(const Var& x, double t) const override { return 2 * variance_(t) * x; }
  Var hyvarinen_score(const Var& u, const Var&) const override { return u - 1; }
  Var chart_score(const Var& h, const Var&) const override { return h + 1; }
  Var drift(const Var& x, double t) const override { return mu_(t) * x; }
  Marginal marginal(double t) const override {
    return {1, mu_.integral(t) - variance_.integral(t) / 2, std::sqrt(variance_.integral(t))};
  }
  double time_at(double level) const override { return variance_.time_of(level * level); }

  double sigma(double t) const { return std::sqrt(variance_(t)); }
  double mu(double t) const { return mu_(t); }

 private:
  LinearRate variance_, mu_;
};

}  // namespace dale
