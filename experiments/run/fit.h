// The loop that trains every network of this chapter: gradients, cut to a norm; a step of an optimiser at a
// rate that warms up and falls; a bar.
#pragma once

#include <numbers>

#include "autograd/ops.h"
#include "experiments/run/progress.h"
#include "nn/optim.h"

namespace dale {

/// The learning rate over a run of `steps` steps: `rate`, times step/warmup while that is below 1, times what
/// is left of the run, by a straight line or half a cosine (III.13).
struct Schedule {
  Index steps;
  double rate;
  std::string decay = "linear";  // or "constant", "cosine"
  Index warmup = 0;

  /// Of the step after `step` others.
  double at(Index step) const {
    const double warm =
        std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(std::max<Index>(1, warmup)));
    const double done = static_cast<double>(step) / static_cast<double>(steps);
    if (decay == "cosine") return rate * warm * (1 + scalar::cos(std::numbers::pi * done)) / 2;
    return rate * warm * (decay == "linear" ? 1 - done : 1.0);
  }
};

/// What a step follows: a loss, the norm of all its gradients, and these in the parameters' order.
struct Gradients {
  double loss, norm;
  Vars of_weights;
};
inline Gradients gradients_of(const Var& loss, const std::vector<NamedParameter>& parameters) {
  const Vars g = grad(loss, variables(parameters));
  return {static_cast<double>(loss.item()), global_norm(g), g};
}

/// Steps first + 1 … schedule.steps: gradients(step) of the step after `step` others, cut to the norm `clip`
/// (0 is no limit), followed by optimizer, and told to after(steps done, gradients). Throws
/// std::runtime_error for a loss or gradient that is not finite.
template <class Optimizer, class Make, class After>
void fit(Optimizer& optimizer, const Schedule& schedule, double clip, Progress& bar, const Make& gradients,
         const After& after, Index first = 0) {
  for (Index step = first; step < schedule.steps; ++step) {
    const Gradients g = gradients(step);
    if (!std::isfinite(g.loss) || !std::isfinite(g.norm))
      failed(
          "training step {}: the loss is {} and the gradient's norm {}; expected finite numbers: choose a "
          "smaller learning rate",
          step + 1, g.loss, g.norm);
    optimizer.step(g.of_weights, schedule.at(step), clip_scale(g.norm, clip));
    bar.update(step + 1, fmt::format("loss {:.4f}", g.loss));
    after(step + 1, g);
  }
}

}  // namespace dale
