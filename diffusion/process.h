// Forward processes dX = f(X,t) dt + G(X,t) dW with elementwise G, and the one switch between additive and
// multiplicative noise.
//
// A chart ψ maps data x to the space y = ψ(x) in which the noise is additive,
//   Y_t = a(t) y₀ + m(t) + s(t) Z,   Z ~ N(0, I)                                                     (IV.1)
//   ve   ψ = identity, a = 1, m = 0               variance exploding: dX = σ dW
//   gbm  ψ = log,      a = 1, m = ∫(μ − σ²/2)     geometric Brownian motion: dX = μX dt + σX dW      (IV.2)
//   vp   ψ = identity, a = exp(−½∫β), m = 0       variance preserving: dX = −½βX dt + √β dW
// and dividing by a after taking m off gives every process the frame y₀ + sZ, in which network, loss,
// schedule and samplers are shared: an experiment that changes the process changes nothing else. additive.cpp
// and multiplicative.cpp are parallel texts: read their diff.
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
  virtual ~Process() = default;
  virtual std::string name() const = 0;
  /// Whether X is multiplied by its noise, hence keeps its sign.
  virtual bool multiplicative() const = 0;
  /// Time runs from 0 to T.
  virtual double T() const = 0;

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
};

/// dX = μX dt + σX dW; σ² and μ constant or linear in time. By Itô, for Y = log X,
///   dY = (μ − σ²/2) dt + σ dW                                                                     (IV.2)
class GeometricBrownianMotion : public Process {
 public:
  /// The paper's setting: σ = 0.8, μ = σ²/2 (hence m = 0), T = 1.
  GeometricBrownianMotion() : GeometricBrownianMotion({0.64}, {0.32}, 1) {}
  /// Throws std::invalid_argument unless σ² ≥ 0 on [0, T], not 0 throughout, and T > 0.
  GeometricBrownianMotion(LinearRate variance, LinearRate mu, double T, std::string name = "gbm-paper");
  /// Constant σ and μ = σ²/2.
  static GeometricBrownianMotion driftless(double sigma, double T);
  /// s(t) = t: σ² = 2t, μ = t. EDM's clock, on which time is the noise level.
  static GeometricBrownianMotion edm(double T);

  std::string name() const override { return name_; }
  bool multiplicative() const override { return true; }
  double T() const override { return T_; }
  Var chart(const Var& x) const override;
  Var unchart(const Var& y) const override;
  Var drift(const Var& x, double t) const override;
  Var diffusion(const Var& x, double t) const override;
  Var divergence(const Var& x, double t) const override;
  Marginal marginal(double t) const override;
  double time_at(double level) const override;
  Var hyvarinen_score(const Var& u, const Var& y) const override;
  Var chart_score(const Var& h, const Var& y) const override;

  double sigma(double t) const;
  double mu(double t) const { return mu_(t); }

 private:
  LinearRate variance_, mu_;
  double T_;
  std::string name_;
};

/// What processes with additive noise share: the identity as chart, so u is the Stein score and h = y ∘ u,
/// and a G that does not depend on x.
class AdditiveProcess : public Process {
 public:
  bool multiplicative() const override { return false; }
  Var chart(const Var& x) const override;
  Var unchart(const Var& y) const override;
  Var divergence(const Var& x, double t) const override;
  Var hyvarinen_score(const Var& u, const Var& y) const override;
  Var chart_score(const Var& h, const Var& y) const override;
};

/// dX = σ dW; σ² constant or linear in time.
class VarianceExploding : public AdditiveProcess {
 public:
  VarianceExploding(LinearRate variance, double T, std::string name = "ve");
  /// s(t) = t.
  static VarianceExploding edm(double T);

  std::string name() const override { return name_; }
  double T() const override { return T_; }
  Var drift(const Var& x, double t) const override;
  Var diffusion(const Var& x, double t) const override;
  Marginal marginal(double t) const override;
  double time_at(double level) const override;

 private:
  LinearRate variance_;
  double T_;
  std::string name_;
};

/// dX = −½βX dt + √β dW; β from 0.1 to 20 on [0, 1] unless said otherwise.
class VariancePreserving : public AdditiveProcess {
 public:
  explicit VariancePreserving(LinearRate beta = {0.1, 19.9}, double T = 1);

  std::string name() const override { return "vp"; }
  double T() const override { return T_; }
  Var drift(const Var& x, double t) const override;
  Var diffusion(const Var& x, double t) const override;
  Marginal marginal(double t) const override;
  double time_at(double level) const override;

 private:
  LinearRate beta_;
  double T_;
};

/// "gbm" and "ve" on EDM's clock, "gbm-paper", "vp"; they live for ever. Throws std::invalid_argument for
/// another name.
const Process& process_named(std::string_view name);
const std::vector<std::string>& process_names();

}  // namespace dale
