// Derivatives of functions, built from vjp alone: (II.7).
#pragma once

#include "autograd/var.h"

namespace dale {

/// Σ_i ∂y/∂x_i v_i, in y's shape: the derivative of y along the tangents v. The vector–Jacobian product
/// gᵀ∂y/∂x is linear in g, so its own vector–Jacobian product with respect to g is this. The graph of y is
/// walked twice; with create_graph the result is tracked. Throws std::invalid_argument unless each v has its
/// x's shape.
Var jvp(const Var& y, const Vars& xs, const Vars& tangents, bool create_graph = false);

/// The Hessian of y (one element) times v, an array for each x: the gradient of ⟨∂y/∂x, v⟩.
Vars hessian_product(const Var& y, const Vars& xs, const Vars& vs, bool create_graph = false);

}  // namespace dale
