// gbm: noise multiplies. The chart is the logarithm:
//   y = log x,   u = ∇_y log p_Y = 1 + x ∘ ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X = u − 1,   ∇·(GGᵀ) = ∂(σ²x²)/∂x =
//   2σ²x
#include <cmath>

#include "diffusion/process.h"

namespace dale {

// ---- gbm: dX = μX dt + σX dW

GeometricBrownianMotion::GeometricBrownianMotion(LinearRate variance, LinearRate mu, double T,
                                                 std::string name)
    : variance_(variance), mu_(mu), T_(T), name_(std::move(name)) {
  if (!(T > 0) || !(variance(0) >= 0) || !(variance(T) >= 0) || !(variance.integral(T) > 0))
    invalid("{} needs T > 0 and a variance rate that is not negative, not T {} and σ² from {} to {}", name_,
            T, variance(0), variance(T));
}
GeometricBrownianMotion GeometricBrownianMotion::edm(double T) { return {{0, 2}, {0, 1}, T, "gbm"}; }
GeometricBrownianMotion GeometricBrownianMotion::driftless(double sigma, double T) {
  if (!(sigma > 0) || !(T > 0))
    invalid("geometric Brownian motion needs sigma > 0 and T > 0, not {} and {}", sigma, T);
  return {{sigma * sigma}, {sigma * sigma / 2}, T};
}
double GeometricBrownianMotion::sigma(double t) const { return std::sqrt(variance_(t)); }

Var GeometricBrownianMotion::chart(const Var& x) const { return log(x); }
Var GeometricBrownianMotion::unchart(const Var& y) const { return exp(y); }
Var GeometricBrownianMotion::drift(const Var& x, double t) const { return mu_(t) * x; }
Var GeometricBrownianMotion::diffusion(const Var& x, double t) const { return sigma(t) * x; }
Var GeometricBrownianMotion::divergence(const Var& x, double t) const { return 2 * variance_(t) * x; }
Marginal GeometricBrownianMotion::marginal(double t) const {
  return {1, mu_.integral(t) - variance_.integral(t) / 2, std::sqrt(variance_.integral(t))};
}
double GeometricBrownianMotion::time_at(double level) const { return variance_.time_of(level * level); }
Var GeometricBrownianMotion::hyvarinen_score(const Var& u, const Var&) const { return u - 1; }
Var GeometricBrownianMotion::chart_score(const Var& h, const Var&) const { return h + 1; }

}  // namespace dale
