// Forward processes, and the one switch between additive and multiplicative noise.
//
// A chart ψ maps data x to the space y = ψ(x) in which the noise is additive and without drift:
//   y_t = y₀ + s(t) Z,   Z ~ N(0, I)                                                                    (1)
//   ve   ψ = identity:  x_t = x₀ + s Z                     variance exploding                           (1a)
//   gbm  ψ = log:       x_t = x₀ ∘ exp(s Z)                geometric Brownian motion                    (1b)
// Everything after the chart (network, loss, schedule, samplers that know only y) is shared, so that an experiment which
// changes the process changes nothing else. additive.cpp and multiplicative.cpp are parallel texts: read their diff.
//
// Read first: autograd/ops.h; README.md for the derivations.
#pragma once

#include <string>

#include "autograd/ops.h"

namespace dale {

class Process {
 public:
  virtual ~Process() = default;
  virtual std::string name() const = 0;
  /// Whether X is multiplied by its noise, hence keeps its sign.
  virtual bool multiplicative() const = 0;
  /// y = ψ(x), x = ψ⁻¹(y), elementwise on any shape.
  virtual Var chart(const Var& x) const = 0;
  virtual Var unchart(const Var& y) const = 0;
  /// The Hyvärinen score h = x ∘ ∇ₓ log p_X(x) for the score u = ∇_y log p_Y(y): the chart's Jacobian tells them apart.
  virtual Var hyvarinen_score(const Var& u, const Var& y) const = 0;

  /// Y_t given y₀ (1). y0, z (N,…); s a number or (N,1,…).
  Var forward(const Var& y0, const Var& s, const Var& z) const { return y0 + s * z; }
};

/// "gbm" or "ve"; lives for ever. Throws std::invalid_argument for another name.
const Process& process_named(const std::string& name);
const std::vector<std::string>& process_names();

/// Pixels in [0, 1] are embedded as x = 1 + pixel ∈ [1, 2]: positive, with a bounded logarithm (the paper's choice).
Var embed_pixels(const Var& pixels);
/// clamp(x, 1, 2) − 1
Var pixels_of(const Var& x);

/// Geometric Brownian motion dX = μ X dt + σ X dW on [0, T]. By Itô, Y = log X has
///   dY = (μ − σ²/2) dt + σ dW,   m(t) = (μ − σ²/2) t,   s²(t) = σ² t,   X_t = x₀ ∘ exp(m + s Z)          (2)
/// The paper's setting is σ = 0.8, μ = σ²/2 (hence m = 0), T = 1.
struct GeometricBrownianMotion {
  double sigma = 0.8, mu = 0.32, T = 1;

  /// μ = σ²/2. Throws std::invalid_argument unless σ > 0 and T > 0.
  static GeometricBrownianMotion driftless(double sigma, double T);
  double m(double t) const { return (mu - sigma * sigma / 2) * t; }
  double s(double t) const;
};

}  // namespace dale
