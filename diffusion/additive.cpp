// ve: noise is added, dX = σ dW, X_t = x₀ + s Z. The chart is the identity:
//   y = x,   ∇_y log p_Y = ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X
#include "diffusion/processes.h"

namespace dale {

Var VarianceExploding::chart(const Var& x) const { return x; }
Var VarianceExploding::unchart(const Var& y) const { return y; }
Var VarianceExploding::hyvarinen_score(const Var& u, const Var& y) const { return unchart(y) * u; }

}  // namespace dale
