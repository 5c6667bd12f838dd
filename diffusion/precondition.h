// EDM preconditioning (Karras et al. 2022, table 1) in a chart. A network F never sees the scale of its
// problem; with ȳ and σ_d the mean and standard deviation of the data in the chart, and y below with ȳ
// removed,
//   D(y; s) = c_skip y + c_out F(c_in y; c_noise)                                                   (IV.11)
//   c_skip = σ_d²/(s² + σ_d²),  c_out = s σ_d/√(s² + σ_d²),  c_in = 1/√(s² + σ_d²),  c_noise = ¼ ln s
// estimates E[y₀ | y_t = y]. The score follows by Tweedie's formula:
//   ∇_y log p_Y(y; s) = (D(y; s) − y)/s²                                                           (IV.5)
#pragma once

#include <functional>

#include "autograd/ops.h"

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

}  // namespace dale
