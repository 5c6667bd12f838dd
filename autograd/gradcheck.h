// Gradients against finite differences. For f(x₁,…) and random directions u_i, v the number φ(x) =
// ⟨v, f(x)⟩ has the directional derivative
//   (φ(x + hu) − φ(x − hu)) / 2h  =  Σ_i ⟨u_i, ∂φ/∂x_i⟩ + O(h²)                     (II.6)
// Order 2 is order 1 of the function x ↦ (∂φ/∂x_i)_i, made by grad() with a graph. Both sides are
// extrapolated from two step lengths (Richardson), so the double build reaches 1e-9 on smooth functions; in
// float it proves little.
#pragma once

#include "autograd/ops.h"

namespace dale {

using Function = std::function<Var(const Vars&)>;

/// The largest relative difference between the two sides of (II.6) at x, for order 1 or 2, relative to the
/// sum of the magnitudes of the terms. Every x is a tracked Var with values inside f's domain, `step` away
/// from its boundary.
double gradient_error(const Function& f, const std::vector<Tensor>& x, int order, Key key,
                      double step = 1e-3);

}  // namespace dale
