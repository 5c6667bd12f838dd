// Samplers: from noise back to data. Each is a free function of a network (a callable), a start, steps and a key; images
// first, first + 1, … of a stream see the same noise whatever the batch they are sampled in. States are carried in the
// chart (log x for the multiplicative process), where nothing overflows; a state that is not finite throws
// std::runtime_error with the step and the op that made it.
#pragma once

#include "diffusion/precondition.h"
#include "diffusion/process.h"

namespace dale {

/// EDM's noise levels s₀ > … > s_{N−1} > s_N = 0:  s_i = (s_max^{1/ρ} + i/(N−1) (s_min^{1/ρ} − s_max^{1/ρ}))^ρ.
/// Throws std::invalid_argument unless steps ≥ 1 and 0 < s_min < s_max (one step starts at s_max and ends at 0).
std::vector<double> edm_levels(int steps, double s_min, double s_max, double rho = 7);

/// y ~ N(mean, deviation²), independent elements, (count,…).
Var normal_prior(const Shape& shape, double mean, double deviation, Key key, std::uint64_t first = 0,
                 Device device = Device::cpu);

/// The probability flow dy/ds = (y − D(y; s))/s from levels[0] to levels.back() by Heun's rule:           (7)
///   d = (y − D(y; s))/s,  ŷ = y + (s′ − s) d,   if s′ > 0:  y ← y + (s′ − s) ½ (d + (ŷ − D(ŷ; s′))/s′)
/// y (N,…) in the chart of D. Two evaluations a step, one for a step to 0. In the log chart each step multiplies x.
Var probability_flow(const Denoiser& D, Var y, const std::vector<double>& levels);

/// h(log x; t) = x ∘ ∇ₓ log p_t(x) for a batch at time t.
using HyvarinenScore = std::function<Var(const Var& log_x, double t)>;

/// The Hyvärinen score that D gives at time t, where the noise level is s(t): (D(y; s) − y)/s² − 1.
HyvarinenScore score_of(const Denoiser& D, const GeometricBrownianMotion& gbm);

/// The Dale–Langevin sampler: Euler–Maruyama on the reverse of (2) in log x, exponentiated,                (8)
///   X ← X ∘ exp( δσ² h − δ(μ − (3/2)σ²) + √δ σ Z ),   δ = T/steps,  from t = T down to δ
/// A coordinate's sign cannot change (Dale's law): the state is log x (N,…), and x enters h alone. One evaluation a step.
Var dale_langevin(const HyvarinenScore& h, Var log_x, const GeometricBrownianMotion& gbm, int steps, Key key,
                  std::uint64_t first = 0);

}  // namespace dale
