// Likelihood by the probability flow (instantaneous change of variables). Along dy/ds = (y − D)/s =: f,
//   log p(y₀) = log N(y_T; ȳ, s_max² + σ_d²) + ∫ div f ds,  log p_X(x) = log p_Y(ψ(x)) + log |ψ′(x)| (IV.33)
// integrated by Heun's rule from s_min up to s_max. With pixels dequantised as x = 1 + (level + u)/256, u
// uniform,
//   bits/dim = 8 − log₂ p_X(x)/d                                                                     (IV.34)
// and of data in units of their own, E their embedding, −log₂ (p_X(E(data)) |E′(data)|)/d.
#pragma once

#include "autograd/transforms.h"
#include "diffusion/denoiser.h"
#include "diffusion/embedding.h"

namespace dale {

/// log p_Y(y₀) (N) of y0 (N,…) in the frame, images `first` … of the key's draws; levels ascend from s_min >
/// 0 to s_max.
Tensor log_likelihood(const Denoiser& D, const Edm& edm, const Var& y0, const std::vector<double>& levels,
                      Trace trace, Key key, std::uint64_t first = 0);

/// (IV.34) for pixel levels 0 … 255 as pixels (N,1,H,W) in [0,1], or other data as they are: one number per
/// image.
std::vector<double> bits_per_dimension(const Process& process, const Embedding& embedding, const Denoiser& D,
                                       const Edm& edm, const Tensor& data, const std::vector<double>& levels,
                                       Trace trace, Key key, std::uint64_t first = 0);

}  // namespace dale
