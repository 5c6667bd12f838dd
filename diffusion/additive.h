// ve and vp: noise is added. The chart is the identity:
//   y = x,   u = ∇_y log p_Y = ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X = y ∘ u,   GGᵀ does not depend on x
#pragma once

#include <cmath>

#include "diffusion/process.h"

namespace dale {

/// What processes with additive noise share; G² is `rate`, constant or linear in time.
class AdditiveProcess : public Process {
 public:
  AdditiveProcess(LinearRate rate, double T, std::string name) : Process(std::move(name), T), rate_(rate) {
    rate.expect_noise(this->name(), T);
  }

  bool multiplicative() const override { return false; }
  Var chart(const Var& x) const override { return x; }
  Var unchart(const Var& y) const override { return y; }
  Var diffusion(const Var& x, double t) const override { return 0 * x + std::sqrt(rate_(t)); }
  Var divergence(const Var& x, double) const override { return 0 * x; }
  Var hyvarinen_score(const Var& u, const Var& y) const override { return y * u; }
  Var chart_score(const Var& h, const Var& y) const override { return h / y; }

 protected:
  LinearRate rate_;
};

/// dX = σ dW; σ² constant or linear in time.
class VarianceExploding : public AdditiveProcess {
 public:
  VarianceExploding(LinearRate variance, double T) : AdditiveProcess(variance, T, "ve") {}

  Var drift(const Var& x, double) const override { return 0 * x; }
  Marginal marginal(double t) const override { return {1, 0, std::sqrt(rate_.integral(t))}; }
  double time_at(double level) const override { return rate_.time_of(level * level); }
};

/// dX = −½βX dt + √β dW, hence a = exp(−½∫β), s² = 1 − a²; β from 0.1 to 20 on [0, 1] unless said otherwise.
class VariancePreserving : public AdditiveProcess {
 public:
  explicit VariancePreserving(LinearRate beta = {0.1, 19.9}, double T = 1) : AdditiveProcess(beta, T, "vp") {}

  Var drift(const Var& x, double t) const override { return -0.5 * rate_(t) * x; }
  Marginal marginal(double t) const override {
    const double integral = rate_.integral(t);
    return {scalar::exp(-integral / 2), 0, std::sqrt(-scalar::expm1(-integral))};
  }
  double time_at(double level) const override { return rate_.time_of(scalar::log1p(level * level)); }
};

}  // namespace dale
