// Samples on conditions, by changing what the denoiser says and nothing else: every sampler of sampler.h then
// obeys, in either chart, because all of them ask only for D(y; s).
//
//   classifier-free guidance    D ← D_none + w (D_class − D_none)                                    (IV.31)
//     (Ho & Salimans 2022): w = 0 ignores the class, 1 is the class's own model, more exaggerates it. Scores
//     are affine in D (IV.5), so this is the same combination of scores.
//   inpainting by replacement   D ← ψ(x_known) where known, D elsewhere                             (IV.32)
//     Where the mean of y₀ is fixed, the probability flow moves y straight to it,
//       y(s) = y₀ + (s/s_T)(y(s_T) − y₀),
//     which is the noisy known picture y₀ + sZ that the network must see beside the unknown part.
//
// NB: replacement conditions each step on the known pixels' noisy version only. Repaint (Lugmayr et al. 2022)
// repeats steps so that both parts agree better, at a multiple of the cost.
#pragma once

#include "diffusion/precondition.h"

namespace dale {

/// (IV.31). Two evaluations where w is neither 0 nor 1.
inline Denoiser guided(Denoiser with_class, Denoiser without, double w) {
  if (w == 1) return with_class;
  if (w == 0) return without;
  return [with_class = std::move(with_class), without = std::move(without), w](const Var& y, double s) {
    const Var none = without(y, s);
    return none + w * (with_class(y, s) - none);
  };
}

/// (IV.32): known (…) in the chart and mask (…), 1 where it is known and 0 where not; both broadcast to y.
inline Denoiser replaced(Denoiser D, Var known, Var mask) {
  return [D = std::move(D), known = std::move(known), mask = std::move(mask)](const Var& y, double s) {
    const Var free = D(y, s);
    return where(broadcast_to(mask, free.shape()), broadcast_to(known, free.shape()), free);
  };
}

}  // namespace dale
