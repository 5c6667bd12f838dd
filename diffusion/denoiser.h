// From a network to a denoiser, E[y₀ | y], and to a score; and denoisers on conditions.
//
// EDM preconditioning (Karras et al. 2022, table 1) in a chart: a network F never sees the scale of its
// problem. With ȳ and σ_d the mean and standard deviation of the data in the chart, and y below with ȳ
// removed,
//   D(y; s) = c_skip y + c_out F(c_in y; c_noise)                                                   (IV.11)
//   c_skip = σ_d²/(s² + σ_d²),  c_out = s σ_d/√(s² + σ_d²),  c_in = 1/√(s² + σ_d²),  c_noise = ¼ ln s
// estimates E[y₀ | y_t = y]. The score follows by Tweedie's formula:
//   ∇_y log p_Y(y; s) = (D(y; s) − y)/s²                                                           (IV.5)
#pragma once

#include <functional>
#include <string>

#include "diffusion/process.h"

namespace dale {

/// F(x, c_noise): x (N,1,H,W), c_noise (N) → (N,1,H,W). A U-Net, or any callable.
using Network = std::function<Var(const Var& x, const Var& c_noise)>;

/// The same network as a graph a shape, where the machine has them (tensor/captured.h): for many evaluations
/// with weights that stay where they are. While gradients are recorded, and under Anomaly, `network` itself.
Network captured(Network network);

/// D(y; s) for a batch at one noise level: y (N,…) with ȳ, s > 0 → E[y₀ | y], with ȳ.
using Denoiser = std::function<Var(const Var& y, double s)>;

struct Edm {
  double mean = 0;         // ȳ
  double deviation = 0.5;  // σ_d

  /// ȳ and σ_d of data y (any shape), in double. Throws std::invalid_argument for constant or non-finite
  /// data.
  static Edm fitted(const Tensor& y);

  double c_skip(double s) const { return deviation * deviation / (s * s + deviation * deviation); }
  double c_out(double s) const { return s * deviation / scalar::hypot(s, deviation); }
  double c_in(double s) const { return 1 / scalar::hypot(s, deviation); }
  double c_noise(double s) const { return scalar::log(s) / 4; }

  /// (IV.11) with `network`.
  Denoiser denoiser(Network network) const;
};

/// What a network's output means. Five parameterisations of one thing, the chart score u = ∇_y log p_t(y):
///   denoised   F inside (IV.11):             u = (a D + m − y)/s²
///   noise      F ≈ Z:                        u = −F/s
///   score      F ≈ u itself
///   hyvarinen  F ≈ h = x ∘ ∇ₓ log p:         u = 1 + F  in the log chart
///   stein      F ≈ ∇ₓ log p (the paper's network, multiplied by x in the loss): h = x ∘ F
/// The first sees c_in y and c_noise; the next three see y and t; the last sees x and t, as in the paper.
enum class Parameterisation { denoised, noise, score, hyvarinen, stein };

/// "denoised" …; and back. Throws std::invalid_argument for another name.
const char* str(Parameterisation p);
Parameterisation parameterisation_named(const std::string& name);

struct ScoreModel {
  const Process* process;
  Edm edm;
  Parameterisation meaning;
  Network network;

  /// All that score() needs of the times t[n] > 0, a row a time, because a captured function
  /// (tensor/captured.h) takes what changes from call to call as arrays.
  enum Quantity { time, law_a, law_m, law_s, c_in, c_noise, c_skip, c_out, quantities };
  Tensor schedule(const std::vector<double>& t, Device device) const;  // (N,quantities)
  /// u at Y_t = y (N,…), image n at time t[n].
  Var score(const Var& y, const Tensor& schedule) const;
  /// Quantity k of a schedule, one number per image, to broadcast against y (N,…).
  static Var column(const Tensor& schedule, Quantity k, int rank);
  /// E[y₀ | y] in the frame y₀ + sZ, through u: D = (y + s²u − m)/a at the time whose level is s.
  Denoiser denoiser() const;
};

// ---- Samples on conditions, by changing what the denoiser says and nothing else: every sampler of sampler.h
// then obeys, in either chart, because all of them ask only for D(y; s).

/// Classifier-free guidance (Ho & Salimans 2022),
///   D ← D_none + w (D_class − D_none)                                                             (IV.31)
/// w = 0 ignores the class, 1 is the class's own model, more exaggerates it. Scores are affine in D (IV.5),
/// so this is the same combination of scores. Two evaluations where w is neither 0 nor 1.
Denoiser guided(Denoiser with_class, Denoiser without, double w);

/// Inpainting by replacement, of known (…) in the chart and mask (…), 1 where it is known and 0 where not,
/// both broadcast to y:
///   D ← ψ(x_known) where known, D elsewhere                                                       (IV.32)
/// Where the mean of y₀ is fixed, the probability flow moves y straight to it,
///   y(s) = y₀ + (s/s_T)(y(s_T) − y₀),
/// which is the noisy known picture y₀ + sZ that the network must see beside the unknown part.
/// NB: each step is conditioned on the known pixels' noisy version only. Repaint (Lugmayr et al. 2022)
/// repeats steps so that both parts agree better, at a multiple of the cost.
Denoiser replaced(Denoiser D, Var known, Var mask);

}  // namespace dale
