// Denoising score matching, additive and multiplicative alike, because in the chart both are y_t = y₀ + s Z.
//
// Multiplicative denoising score matching asks the Hyvärinen score to meet its conditional value,
//   ½ E ‖h_θ(x_t) − h(x_t|x₀)‖²,   h(x_t|x₀) = −1 − (y_t − y₀)/s²                                    (IV.12)
// and with 1 + h_θ = (D − y_t)/s² (IV.5) the difference is (D − y₀)/s². Weighted by λ s⁴ with EDM's λ =
// 1/c_out² it is
//   E ‖F(c_in y_t; c_noise) − (y₀ − c_skip y_t)/c_out‖²,   ln s ~ N(P_mean, P_std²)                  (IV.13)
// a regression of unit scale at every noise level. For the additive chart (IV.13) is ordinary denoising
// score matching.
#pragma once

#include <cmath>

#include "autograd/transforms.h"
#include "diffusion/denoiser.h"

namespace dale {

/// The noise levels of training: P_mean = ln(σ_d/0.5) + mean, P_std = deviation. As they stand, EDM's.
struct LevelDistribution {
  double mean = -1.2, deviation = 1.2;

  /// s of a standard normal number.
  double level(const Edm& edm, double xi) const {
    return edm.deviation / 0.5 * scalar::exp(mean + deviation * xi);
  }
};

// Each loss is in two halves, its draws and what it is given them, because a captured function
// (tensor/captured.h) takes what changes from batch to batch as inputs.

/// c_in y_t (N,1,H,W), c_noise (N) and the target of (IV.13), of y0 (N,1,H,W) in the chart. Image n takes its
/// noise from elements (first + n)·pixels … of the key's streams: what a batch sees depends on the key and on
/// `first`, the number of its first image, alone.
std::vector<Tensor> denoising_draws(const Edm& edm, const Tensor& y0, Key key,
                                    const LevelDistribution& law = {}, std::uint64_t first = 0);
/// (IV.13), averaged over batch and pixels; its gradient flows into the network's parameters.
Var denoising_loss(const Network& network, const std::vector<Tensor>& draws);

/// Denoising score matching in any parameterisation, additive or multiplicative (h_θ − h = u_θ − u in either
/// chart):
///   ½ mean w(t) (u_θ(Y_t) + Z/s)²,   Y_t = a y₀ + m + sZ                                           (IV.12)
/// with w = s² (the noise's own scale); s⁴, which makes twice it the paper's ‖s² h + (log x_t − log x₀ − m) +
/// s²‖²; or s⁴/c_out², EDM's, which makes twice it (IV.13) when a = 1. y0 and z (N,…), image n at time t[n].
/// The draws are Y_t, z, √w (N,1,…) and the model's schedule of t (N,quantities).
enum class Weight { noise, paper, edm };
std::vector<Tensor> score_matching_draws(const ScoreModel& model, Weight weight, const Tensor& y0,
                                         const std::vector<double>& t, const Var& z);
Var score_matching_loss(const ScoreModel& model, const std::vector<Tensor>& draws);

/// Multiplicative explicit score matching, ½ mean over images of ‖h_θ − h‖²: for problems whose h is known.
/// (N,…) each.
Var explicit_score_loss(const Var& h_model, const Var& h);

/// Hyvärinen's non-negative score matching (2007) in log space: no target, only derivatives of the model,
///   J_NN = mean over images of Σ_i [ H_i + ∂H_i/∂y_i + ½ H_i² ],   H = x ∘ s_θ  (IV.15)
/// equal to explicit score matching up to a constant. Its gradient is of second order.
Var nonnegative_score_loss(const Field& H, const Var& y, Trace trace, Key key);

}  // namespace dale
