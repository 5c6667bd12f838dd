// Samplers: from noise back to data. Each is a free function of a network (a callable), a start, levels or
// steps, and a key; images first, first + 1, … of a stream see the same noise whatever the batch they are
// sampled in. States are carried in the chart (log x for the multiplicative process), where nothing
// overflows; a state that is not finite throws std::runtime_error with the step and the op that made it. To
// find it a sampler runs again, so what it asks (D, scores) must be functions: REQUIRES no state of theirs.
//
// The first group lives in the frame y_t = y₀ + sZ and knows only y, so each is written once and serves both
// charts; in the log chart each of their steps multiplies x by an exponential. Those that ask D once per step
// are one loop and a table. The second group follows a process in time.
#pragma once

#include "diffusion/denoiser.h"
#include "diffusion/multiplicative.h"

namespace dale {

/// EDM's noise levels s₀ > … > s_{N−1} > s_N = 0,
///   s_i = (s_max^{1/ρ} + i/(N−1) (s_min^{1/ρ} − s_max^{1/ρ}))^ρ
/// Throws std::invalid_argument unless steps ≥ 1 and 0 < s_min < s_max (one step starts at s_max, ends at 0).
std::vector<double> edm_levels(int steps, double s_min, double s_max, double rho = 7);
/// The same for a process, whose last level s_max does not pass.
std::vector<double> edm_levels(const Process& process, int steps, double s_min, double s_max);

/// y ~ N(mean, deviation²), independent elements, (count,…).
Var normal_prior(const Shape& shape, double mean, double deviation, Key key, std::uint64_t first = 0,
                 Device device = Device::cpu);

// ---- In the frame: y (N,…) in the chart of D at level levels[0], brought to levels.back().
// REQUIRES two levels or more, falling, all positive but the last, which may be 0: a step to 0 ends on D.

/// One step of a sampler that asks D once:
///   y ← D + keep (y − D) + noise Z,   D = D(y; s)                                                  (IV.18)
struct Step {
  double s, keep, noise = 0;
};
using Steps = std::vector<Step>;
Var take_steps(const Denoiser& D, Var start, const Steps& steps, Key key, std::uint64_t first = 0);

/// What keep and noise are in a step from s to s′, with Δ = s² − s′²:
///                                            keep                     noise
///   DDIM (Song et al. 2021)                  s′/s                     0
///   ancestral (Ho et al. 2020)               s′²/s²                   √Δ s′/s   (IV.19)
///   Dale–Langevin (η = 1)                    1 − ½(1 + η²) Δ/s²       η √Δ      (IV.20)
/// A step to 0 is y ← D by each of them, which is Tweedie's E[y₀|y]: it leaves no noise. DDIM is Euler's rule
/// on the probability flow dy/ds = (y − D)/s; ancestral sampling draws y′ from its law given y and y₀ = D;
/// in log x Dale–Langevin is X ← X ∘ exp(Δ(1 + h) + √Δ Z). Its variance after a coarse step is above s′².
Steps ddim_steps(const std::vector<double>& levels);
Steps ancestral_steps(const std::vector<double>& levels);
Steps dale_langevin_steps(const std::vector<double>& levels, double eta = 1);

Var ddim(const Denoiser& D, Var y, const std::vector<double>& levels);

/// Heun's rule on the probability flow:  (IV.22)
///   d = (y − D(y; s))/s,  ŷ = y + (s′ − s) d,   if s′ > 0:  y ← y + (s′ − s) ½ (d + (ŷ − D(ŷ; s′))/s′)
/// Two evaluations per step, one for a step to 0.
Var heun(const Denoiser& D, Var y, const std::vector<double>& levels);

/// DPM-Solver++(2M) (Lu et al. 2022):  λ = ln(s/s′), r = λ_before/λ,  (IV.23)
///   D̃ = (1 + 1/2r) D − 1/2r D_before (first step D̃ = D),  y ← (s′/s) y − (e^{−λ} − 1) D̃;
/// the step to 0 is y ← D. One evaluation per step.
Var dpm_solver(const Denoiser& D, Var y, const std::vector<double>& levels);

/// EDM's stochastic sampler (Karras et al. 2022, algorithm 2): before each step of (IV.22) noise is raised to
/// ŝ = s(1 + γ),
///   y ← y + √(ŝ² − s²) S_noise Z,   γ = min(S_churn/N, √2 − 1) for s in [S_min, S_max]  (IV.24)
struct Churn {
  double churn = 30, s_min = 0.01, s_max = 1, s_noise = 1.007;
};
Var stochastic_heun(const Denoiser& D, Var y, const std::vector<double>& levels, const Churn& churn, Key key,
                    std::uint64_t first = 0);

// ---- In time: from t = T down to 0 in equal steps

/// ∇ₓ log p_t(x) of a process at time t.
using SteinScore = std::function<Var(const Var& x, double t)>;
/// h(log x; t) = x ∘ ∇ₓ log p_t(x).
using HyvarinenScore = std::function<Var(const Var& log_x, double t)>;

/// The Hyvärinen score that a denoiser in the frame gives: at time t the level is s(t), and u = (D(y; s) −
/// y)/s², h = u − 1. REQUIRES m = 0.
HyvarinenScore score_of(const Denoiser& D, const GeometricBrownianMotion& gbm);

/// Euler–Maruyama on Anderson's reversal of any process, in x:  (IV.25)
///   x ← x − δ (f − ∇·(GGᵀ) − G² ∘ ∇ₓ log p_t) + √δ G Z
Var euler_maruyama(const Process& process, const SteinScore& score, Var x, int steps, Key key,
                   std::uint64_t first = 0);

/// How a Langevin sampler goes through time. Plain: δ = T/steps, one repeat a level, noise as it comes. The
/// paper's annealed variants choose δ, repeat each level, and multiply Z by a factor that shrinks by `anneal`
/// from level to level.
struct Langevin {
  int steps;
  double delta = 0;  // 0: T/steps
  int repeats = 1;
  double anneal = 1;
};

/// The paper's Dale–Langevin sampler: Euler–Maruyama on the reverse of (IV.2), exponentiated  (IV.27)
///   X ← X ∘ exp( δσ² h − δ(μ − (3/2)σ²) + √δ σ Z )
/// as steps of (IV.18) on log x − m(t): Δ = δσ²(t) at the levels s(t) of t = T, T − T/steps, …, and so also
/// at the last, where it leaves noise of σ√δ. A coordinate's sign cannot change (Dale's law). η joins it with
/// probability flow (η = 0, by Euler in the clock s²), all with the same marginals as δ → 0 (IV.21).
Steps uniform_steps(const GeometricBrownianMotion& gbm, const Langevin& how, double eta = 1);

/// The unconstrained multiplicative sampler: (IV.25) for geometric Brownian motion,  (IV.26)
///   X ← X ∘ ( 1 − δμ + 2δσ² + δσ² h + √δ σ Z )
/// The state is log|x| and a sign ±1, and h is asked at |x|. Every change of a sign is counted.
struct SignedState {
  Var log_x, sign;
  Index sign_changes = 0;

  Var x() const { return sign * exp(log_x); }
};
SignedState unconstrained(const HyvarinenScore& h, const Var& log_x, const GeometricBrownianMotion& gbm,
                          const Langevin& how, Key key, std::uint64_t first = 0);

/// The paper's tuned constants (its networks, 1000 levels) for "mnist", "fashion-mnist" or "kmnist": both
/// annealed samplers, and the prior of log x_T. Throws std::invalid_argument for another name.
struct PaperConstants {
  const char* dataset;
  Langevin dale_langevin, unconstrained;
  double prior_mean, prior_deviation;
};
constexpr int paper_levels = 1000;
const PaperConstants& paper_constants(std::string_view dataset);

}  // namespace dale
