// Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019):
//   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  w ← w − lr ( m̂/(√v̂ + ε) + decay w ),   m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)
// decay = 0 is Adam. Gradients can be scaled first, to clip their global norm.
#pragma once

#include "nn/module.h"

namespace dale {

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
};

class Adam {
 public:
  /// The parameters stay where they are and must outlive this.
  explicit Adam(std::vector<NamedParameter> parameters, const AdamSettings& settings = {});
  /// One step along `gradients`, in the parameters' order, each multiplied by gradient_scale.
  void step(const Vars& gradients, double learning_rate, double gradient_scale = 1);
  Index steps() const { return steps_; }

 private:
  std::vector<NamedParameter> parameters_;
  AdamSettings settings_;
  std::vector<Tensor> m_, v_;
  Index steps_ = 0;
};

/// √ Σ g² over all gradients.
double global_norm(const Vars& gradients);
/// The factor that brings a norm down to at most `limit`; 1 when it is below, or when limit is 0.
double clip_scale(double norm, double limit);

}  // namespace dale
