// Denoising score matching, additive and multiplicative alike, because in the chart both are y_t = y₀ + s Z.
//
// Multiplicative denoising score matching asks the Hyvärinen score to meet its conditional value,
//   ½ E ‖h_θ(x_t) − h(x_t|x₀)‖²,   h(x_t|x₀) = −1 − (y_t − y₀)/s²                                        (5)
// and with 1 + h_θ = (D − y_t)/s² (4) the difference is (D − y₀)/s². Weighted by λ s⁴ with EDM's λ = 1/c_out² it is
//   E ‖F(c_in y_t; c_noise) − (y₀ − c_skip y_t)/c_out‖²,   ln s ~ N(P_mean, P_std²)                      (6)
// a regression of unit scale at every noise level. For the additive chart (6) is ordinary denoising score matching.
#pragma once

#include "diffusion/precondition.h"

namespace dale {

/// (6), averaged over batch and pixels; its gradient flows into the network's parameters. y0 (N,1,H,W) in the chart.
/// Image n takes its noise from elements (first + n)·pixels … of the key's streams: what a batch sees depends on the
/// key and on `first`, the number of its first image, alone.
Var denoising_loss(const Network& network, const Edm& edm, const Tensor& y0, Key key, std::uint64_t first = 0);

/// (5) for given scores: ½ mean ‖h_θ − h(x_t|x₀)‖², all (N,…), s a number or (N,1,…).
Var multiplicative_score_loss(const Var& h_model, const Var& y_t, const Var& y0, const Var& s);

}  // namespace dale
