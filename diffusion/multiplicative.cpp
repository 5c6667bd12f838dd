// gbm: noise multiplies, dX = ½σ² X dt + σ X dW, X_t = x₀ ∘ exp(s Z). The chart is the logarithm:
//   y = log x,   ∇_y log p_Y = 1 + x ∘ ∇ₓ log p_X,   h = x ∘ ∇ₓ log p_X = ∇_y log p_Y − 1
#include "diffusion/processes.h"

namespace dale {

Var Gbm::chart(const Var& x) const { return log(x); }
Var Gbm::unchart(const Var& y) const { return exp(y); }
Var Gbm::hyvarinen_score(const Var& u, const Var&) const { return u - 1; }

}  // namespace dale
