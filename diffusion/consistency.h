// One multiplication: consistency models (Song et al. 2023), tuned from a denoiser as Geng et al. (2024) do
// it.
//
// With EDM's preconditioning f(y; s) = D(y; s) has f(y; 0) = y. It is a consistency function when it is the
// same all along a path of the probability flow, whose end it then tells: f(y; s_max) is a sample, and in x
//   X = X_T ∘ exp( f(log X_T; s_max) − log X_T ),   noise times one positive factor                  (IV.29)
// Two levels of one image and one Z, t and r < t, are brought together,
//   L = E 1/(t − r) ( √(‖f(y_t; t) − sg f(y_r; r)‖² + c²) − c ),   y_t = y₀ + tZ,   y_r = y₀ + rZ    (IV.30)
//   ln t ~ N(P_mean + ln(σ_d/0.5), P_std²),   r = max(0, t (1 − q^{−k} (1 + 8/(1 + e^{t/2σ_d}))))
// where sg takes no gradient, c = 0.03 σ_d √(pixels), and k is the stage, which grows: r is 0 at first, and
// the target y₀; at last it is close to t. y_t and y_r lie on different paths of the flow, so the loss of the
// exact f is not 0; for the squared norm (c → ∞) its minimiser tends to f as r → t.
#pragma once

#include "diffusion/loss.h"
#include "diffusion/sampler.h"

namespace dale {

struct ConsistencySettings {
  LevelDistribution law{-0.8, 1.6};
  double q = 2, c = 0.03;
  double s_min = 0.002, s_max_factor = 40;  // t is held in [s_min, s_max_factor σ_d]; below s_min r is 0
};

/// r of t at stage k ≥ 1.
double earlier_level(const Edm& edm, const ConsistencySettings& settings, int stage, double t);

/// (IV.30) in two halves, as the other losses. What it takes of a batch y0 (N,…) in the chart: y_t less ȳ, t
/// (N,1,…), y_r and r, with elements (first + n)·pixels … of the key's streams for image n; and the loss,
/// averaged over the batch. Both passes go through the network as it is given, so a dropout mask is the same.
std::vector<Tensor> consistency_inputs(const Edm& edm, const ConsistencySettings& settings, int stage,
                                       const Tensor& y0, Key key, std::uint64_t first = 0);
Var consistency_loss(const Network& network, const Edm& edm, const ConsistencySettings& settings,
                     const std::vector<Tensor>& inputs);

/// Sampling: y ← f(y; s₀), and for each further level s > 0 y ← f(y + sZ; s): (IV.18) with keep = 0 and noise
/// = s′. Levels end with 0.
Steps consistency_steps(const std::vector<double>& levels);
/// Such levels for `steps` evaluations from s_max: those between in deviations of the data, as given, or from
/// 4 to 0.8 by equal factors, and √(4 · 0.8) where there is one.
std::vector<double> consistency_levels(double s_max, double deviation, int steps,
                                       const std::vector<double>& between = {});

}  // namespace dale
