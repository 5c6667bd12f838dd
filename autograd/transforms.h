// Derivatives of functions, built from vjp alone (II.7), and gradients against finite differences. For
// f(x₁,…) and random directions u_i, v the number φ(x) = ⟨v, f(x)⟩ has the directional derivative
//   (φ(x + hu) − φ(x − hu)) / 2h  =  Σ_i ⟨u_i, ∂φ/∂x_i⟩ + O(h²)                     (II.6)
// Order 2 is order 1 of the function x ↦ (∂φ/∂x_i)_i, made by grad() with a graph. Both sides are
// extrapolated from two step lengths (Richardson), so the double build reaches 1e-9 on smooth functions; in
// float it proves little.
#pragma once

#include "autograd/ops.h"

namespace dale {

/// Σ_i ∂y/∂x_i v_i, in y's shape: the derivative of y along the tangents v. The vector–Jacobian
/// product gᵀ∂y/∂x is linear in g, so its own such product with respect to g is this. The graph of y is
/// walked twice; with create_graph the result is tracked. Throws std::invalid_argument unless each v has its
/// x's shape.
Var jvp(const Var& y, const Vars& xs, const Vars& tangents, bool create_graph = false);

/// The Hessian of y (one element) times v, an array for each x: the gradient of ⟨∂y/∂x, v⟩.
Vars hessian_product(const Var& y, const Vars& xs, const Vars& vs, bool create_graph = false);

/// The divergence Σ_i ∂f_i/∂y_i of a field, image by image: the trace of a Jacobian that is
/// never formed.
///   exact       one vector–Jacobian product with each unit vector: d of them, for small d
///   hutchinson  E[vᵀ (∂f/∂y) v] over random signs v: one product, unbiased              (IV.16)
enum class Trace { exact, hutchinson };

/// A field on (N,…) whose value for an image depends on that image alone.
using Field = std::function<Var(const Var& y)>;

struct FieldAndDivergence {
  Var value;       // f(y) (N,…)
  Var divergence;  // (N)
};

/// Both at y (N,…), images `first` … first + N − 1 of the key's signs. With create_graph both can be
/// differentiated further with respect to f's parameters.
FieldAndDivergence divergence(const Field& f, const Var& y, Trace trace, Key key, bool create_graph = false,
                              std::uint64_t first = 0);

using Function = std::function<Var(const Vars&)>;

/// The largest relative difference between the two sides of (II.6) at x, for order 1 or 2, relative to the
/// sum of the magnitudes of the terms. REQUIRES every x inside f's domain, a few `step` away from its
/// boundary and from kinks.
double gradient_error(const Function& f, const std::vector<Tensor>& x, int order, Key key,
                      double step = 1e-3);

}  // namespace dale
