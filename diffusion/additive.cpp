// ve and vp: noise is added. The chart is the identity:
//   y = x,   u = ∇_y log p_Y = ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X = y ∘ u,   GGᵀ does not depend on x
#include <cmath>

#include "diffusion/process.h"

namespace dale {

Var AdditiveProcess::chart(const Var& x) const { return x; }
Var AdditiveProcess::unchart(const Var& y) const { return y; }
Var AdditiveProcess::divergence(const Var& x, double) const { return 0 * x; }
Var AdditiveProcess::hyvarinen_score(const Var& u, const Var& y) const { return y * u; }
Var AdditiveProcess::chart_score(const Var& h, const Var& y) const { return h / y; }

// ---- ve: dX = σ dW

VarianceExploding::VarianceExploding(LinearRate variance, double T, std::string name)
    : variance_(variance), T_(T), name_(std::move(name)) {
  if (!(T > 0) || !(variance(0) >= 0) || !(variance(T) >= 0) || !(variance.integral(T) > 0))
    invalid("{} needs T > 0 and a variance rate that is not negative, not T {} and σ² from {} to {}", name_,
            T, variance(0), variance(T));
}
VarianceExploding VarianceExploding::edm(double T) { return {{0, 2}, T}; }

Var VarianceExploding::drift(const Var& x, double) const { return 0 * x; }
Var VarianceExploding::diffusion(const Var& x, double t) const { return 0 * x + std::sqrt(variance_(t)); }
Marginal VarianceExploding::marginal(double t) const { return {1, 0, std::sqrt(variance_.integral(t))}; }
double VarianceExploding::time_at(double level) const { return variance_.time_of(level * level); }

// ---- vp: dX = −½βX dt + √β dW, hence a = exp(−½∫β), s² = 1 − a²

VariancePreserving::VariancePreserving(LinearRate beta, double T) : beta_(beta), T_(T) {
  if (!(T > 0) || !(beta(0) >= 0) || !(beta(T) >= 0) || !(beta.integral(T) > 0))
    invalid("vp needs T > 0 and a rate that is not negative, not T {} and β from {} to {}", T, beta(0),
            beta(T));
}

Var VariancePreserving::drift(const Var& x, double t) const { return -0.5 * beta_(t) * x; }
Var VariancePreserving::diffusion(const Var& x, double t) const { return 0 * x + std::sqrt(beta_(t)); }
Marginal VariancePreserving::marginal(double t) const {
  const double integral = beta_.integral(t);
  return {scalar::exp(-integral / 2), 0, std::sqrt(-scalar::expm1(-integral))};
}
double VariancePreserving::time_at(double level) const { return beta_.time_of(scalar::log1p(level * level)); }

}  // namespace dale
