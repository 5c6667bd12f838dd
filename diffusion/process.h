// Forward processes dX = f(X,t) dt + G(X,t) dW with elementwise G, and the one switch between additive and
// multiplicative noise.
//
// A chart ψ maps data x to the space y = ψ(x) in which the noise is additive,
//   Y_t = a(t) y₀ + m(t) + s(t) Z,   Z ~ N(0, I)                                                     (IV.1)
//   ve   ψ = identity, a = 1, m = 0               variance exploding: dX = σ dW
//   gbm  ψ = log,      a = 1, m = ∫(μ − σ²/2)     geometric Brownian motion: dX = μX dt + σX dW      (IV.2)
//   vp   ψ = identity, a = exp(−½∫β), m = 0       variance preserving: dX = −½βX dt + √β dW
// and dividing by a after taking m off gives every process the frame y₀ + sZ, in which network, loss,
// schedule and samplers are shared: an experiment that changes the process changes nothing else. additive.h
// and multiplicative.h are parallel texts: read their diff.
//
// Read first: autograd/ops.h; README.md for the derivations.
#pragma once

#include <string>
#include <string_view>

#include "autograd/ops.h"

namespace dale {

/// A rate that is constant or grows linearly in time, with its integral from 0 to t.
struct LinearRate {
  double at0, slope = 0;

  double operator()(double t) const { return at0 + slope * t; }
  double integral(double t) const { return (at0 + slope * t / 2) * t; }
  /// The t ≥ 0 with integral(t) = value ≥ 0.
  double time_of(double value) const;
  /// Throws std::invalid_argument, naming the process, unless T > 0 and the rate, of the noise's variance, is
  /// ≥ 0 on [0, T] and not 0 throughout.
  void expect_noise(const std::string& process, double T) const;
};

/// The law of Y_t given y₀ (IV.1): N(a y₀ + m, s²).
struct Marginal {
  double a, m, s;

  /// s in the frame: the noise beside y₀ once m is taken off and a divided out.
  double level() const { return s / a; }
};

/// N(mean, deviation²) in the chart, independently in each coordinate.
struct Prior {
  double mean, deviation;
};

class Process {
 public:
  /// Time runs from 0 to T.
  Process(std::string name, double T) : name_(std::move(name)), T_(T) {}
  virtual ~Process() = default;
  const std::string& name() const { return name_; }
  double T() const { return T_; }
  /// Whether X is multiplied by its noise, hence keeps its sign.
  virtual bool multiplicative() const = 0;

  /// y = ψ(x), x = ψ⁻¹(y), elementwise on any shape.
  virtual Var chart(const Var& x) const = 0;
  virtual Var unchart(const Var& y) const = 0;

  /// f(x,t), the diagonal of G(x,t), and the divergence ∇·(GGᵀ) = ∂G²/∂x that time reversal needs: 0 for
  /// additive noise, so that code written for it leaves it out, and 2σ²x here.
  virtual Var drift(const Var& x, double t) const = 0;
  virtual Var diffusion(const Var& x, double t) const = 0;
  virtual Var divergence(const Var& x, double t) const = 0;

  /// (IV.1), and the time at which marginal().level() is s.
  virtual Marginal marginal(double t) const = 0;
  virtual double time_at(double level) const = 0;

  /// The prior that stands for Y_T when y₀ has this mean and deviation: N(a ȳ + m, a² σ_d² + s²) at T.
  Prior prior(double data_mean, double data_deviation) const;

  /// Scores. u = ∇_y log p_Y in the chart; the Hyvärinen score h = x ∘ ∇ₓ log p_X; and back.
  virtual Var hyvarinen_score(const Var& u, const Var& y) const = 0;
  virtual Var chart_score(const Var& h, const Var& y) const = 0;

  /// X_t given x₀, for Z: ψ⁻¹(a ψ(x₀) + m + s Z).
  Var sample(const Var& x0, double t, const Var& z) const;
  /// ∇_y log p(y_t|y₀) = −(y_t − a y₀ − m)/s², and from it h(x_t|x₀) = x_t ∘ ∇ₓ log p(x_t|x₀).
  Var conditional_chart_score(const Var& y, const Var& y0, double t) const;
  Var conditional_hyvarinen_score(const Var& x, const Var& x0, double t) const;

 private:
  std::string name_;
  double T_;
};

/// "gbm" and "ve" on EDM's clock, "gbm-paper", "vp"; they live for ever. Throws std::invalid_argument for
/// another name.
const Process& process_named(std::string_view name);
const std::vector<std::string>& process_names();

}  // namespace dale
