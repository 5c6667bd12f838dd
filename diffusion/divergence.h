// The divergence Σ_i ∂f_i/∂y_i of a field, image by image: the trace of a Jacobian that is never formed.
//   exact       one vector–Jacobian product with each unit vector: d of them, for small d
//   Hutchinson  E[vᵀ (∂f/∂y) v] over random signs v: one product, unbiased                            (IV.16)
#pragma once

#include "autograd/ops.h"

namespace dale {

enum class Trace { exact, hutchinson };

/// A field on (N,…) whose value for an image depends on that image alone.
using Field = std::function<Var(const Var& y)>;

struct FieldAndDivergence {
  Var value;       // f(y) (N,…)
  Var divergence;  // (N)
};

/// Both at y, images `first` … first + N − 1 of the key's signs. With create_graph both can be differentiated
/// further with respect to f's parameters.
FieldAndDivergence divergence(const Field& f, const Var& y, Trace trace, Key key, bool create_graph = false,
                              std::uint64_t first = 0);

}  // namespace dale
