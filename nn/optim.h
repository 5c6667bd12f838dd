// How weights follow their gradients: by adding, or by multiplying; and their average.
//   gradient descent      v ← momentum v + g,  w ← w − lr v
//   Adam, AdamW           m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  w ← w − lr ( m̂/(√v̂ + ε) + decay w ),
//                         m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), (III.7)
//                         (Kingma & Ba 2015; Loshchilov & Hutter 2019)
//   Muon                  w ← w − rate lr √max(1, rows/columns) X, (III.8) to (III.10),
//                         X ≈ U Vᵀ of the momentum U Σ Vᵀ  (Jordan 2024)
//   exponentiated gradient  w ← w ∘ exp(−lr sign(w) ∘ g), (III.11)  (Kivinen & Warmuth 1997)
// Muon is steepest descent in the spectral norm, as the sign of the gradient (Adam without averages) is in
// the maximum norm (Bernstein & Newhouse 2024). The last is mirror descent with the entropy Σ |w| log |w| −
// |w|: no step can change a sign, so an excitatory synapse stays excitatory (Dale's law). Gradients can be
// scaled first, to clip their global norm.
#pragma once

#include "nn/module.h"
#include "tensor/captured.h"

namespace dale {

class GradientDescent {
 public:
  /// The parameters stay where they are and must outlive this; so for all optimisers here.
  explicit GradientDescent(std::vector<NamedParameter> parameters, double momentum = 0);
  /// One step along `gradients`, in the parameters' order, each multiplied by gradient_scale; so for all.
  /// Throws std::invalid_argument, with nothing changed, unless each parameter has a gradient of its shape.
  void step(const Vars& gradients, double learning_rate, double gradient_scale = 1);

 private:
  std::vector<NamedParameter> parameters_;
  double momentum_;
  std::vector<Tensor> velocity_;
};

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
};

class Adam {
 public:
  explicit Adam(std::vector<NamedParameter> parameters, const AdamSettings& settings = {});
  void step(const Vars& gradients, double learning_rate, double gradient_scale = 1);

  /// For checkpoints: the moments by name ("m.stem.weight", "v.stem.weight", …), to be read or replaced, and
  /// the number of steps behind them.
  void visit(const std::string& prefix, const VisitTensor& f);
  void resume_at(Index steps) { steps_ = steps; }

 private:
  std::vector<NamedParameter> parameters_;
  AdamSettings settings_;
  std::vector<Tensor> m_, v_;
  Index steps_ = 0;
};

/// Newton–Schulz: x (rows,columns) → X, whose singular vectors are x's and whose singular values, where they
/// were above some 0.003 ‖x‖, are in [0.68, 1.21]; 0 for x = 0. With A = X Xᵀ, five times
///   X ← a X + (b A + c A²) X,   (a, b, c) = (3.4445, −4.7750, 2.0315),   from X = x/‖x‖         (III.9)
Var orthogonalised(const Var& x);

struct MuonSettings {
  /// Kernels (O,C,kh,kw) are taken as matrices (O,C·kh·kw); what is not chosen takes Adam.
  std::function<bool(const NamedParameter&)> orthogonalises = [](const NamedParameter& p) {
    return p.parameter->rank() >= 2;
  };
  double rate = 5;  // of the orthogonalised, as a multiple of the learning rate, which is Adam's
  double momentum = 0.95;
};

class Muon {
 public:
  explicit Muon(std::vector<NamedParameter> parameters, const MuonSettings& settings = {});
  void step(const Vars& gradients, double learning_rate, double gradient_scale = 1);

  /// As Adam's: "muon.stem.weight", and Adam's with "adam." before them.
  void visit(const VisitTensor& f);
  void resume_at(Index steps) { adam_.resume_at(steps); }

 private:
  std::vector<NamedParameter> parameters_;
  double rate_, momentum_;
  std::vector<Tensor> m_;  // undefined for those that take Adam
  Captured updates_;
  Adam adam_;
};

/// Matrices and kernels are multiplied; biases and the scales of norms, whose signs mean nothing, take
/// ordinary steps.
struct ExponentiatedGradientSettings {
  std::function<bool(const NamedParameter&)> multiplies = [](const NamedParameter& p) {
    return p.parameter->rank() >= 2;
  };
  double ordinary_rate = 1;  // of the ordinary steps, as a multiple of the learning rate
};

/// Signs are those at construction, with ±0 taken as its sign bit says, and never change: |w| is held in the
/// range of normal numbers, [2⁻¹²⁶, largest] for float, so that a weight driven to 0 or ∞ can come back.
/// REQUIRES gradients that are not NaN.
class ExponentiatedGradient {
 public:
  explicit ExponentiatedGradient(std::vector<NamedParameter> parameters,
                                 const ExponentiatedGradientSettings& settings = {});
  void step(const Vars& gradients, double learning_rate, double gradient_scale = 1);

 private:
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> signs_;  // ±1; undefined for parameters that take ordinary steps
  double ordinary_rate_;
};

/// An exponential moving average of the weights, which sampling uses: a ← a + (1 − d)(w − a), (III.14). The
/// decay warms up, d_n = min(d, (1 + n)/(10 + n)) at update n, so that the average forgets the random start.
class Ema {
 public:
  Ema(std::vector<NamedParameter> parameters, double decay);
  /// Takes in the parameters as they are, of any strides. The averages are contiguous and written in place.
  void update();

  /// In the parameters' order.
  const std::vector<Tensor>& average() const { return average_; }

  /// For checkpoints, as Adam's.
  void visit(const std::string& prefix, const VisitTensor& f);
  void resume_at(Index updates) { updates_ = updates; }

 private:
  std::vector<NamedParameter> parameters_;
  double decay_;
  std::vector<Tensor> average_;
  Index updates_ = 0;
};

/// Σ g² of each gradient, (P) on their machine; and the root of its sum, in double on the host.
Tensor squared_norms(const Vars& gradients);
double global_norm(const Vars& gradients);
/// The factor (III.12) that brings a norm down to at most `limit`; 1 when it is below, or when limit is 0.
double clip_scale(double norm, double limit);

}  // namespace dale
