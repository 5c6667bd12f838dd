// What a model of a process learns, said once: the meaning of what its network predicts, the loss, the times
// at which it is asked, and so what a training step draws.
//
//   process    prediction  loss                                                times
//   vp         noise       2 × (IV.12) with w = s²: ‖F − Z‖² (Ho et al. 2020)  i T/1000, i in 1 … 1000
//   gbm-paper  stein       2 × (IV.12) with w = s⁴: the paper's                the same: its sampler's
//   the others denoised    (IV.13), EDM's                                      ln s ~ N(P_mean, P_std²)
#pragma once

#include "diffusion/loss.h"
#include "tensor/draw.h"

namespace dale {

/// What a network of a process is trained to give.
inline Parameterisation default_prediction(const Process& process) {
  if (process.name() == "gbm-paper") return Parameterisation::stein;
  return process.name() == "vp" ? Parameterisation::noise : Parameterisation::denoised;
}

constexpr int asked_times = 1000;  // i T/1000, i = 1 … 1000

/// The least noise level that its loss asks it at, or 0 where that is arbitrarily small.
inline double least_level(const Process& process) {
  if (default_prediction(process) == Parameterisation::denoised) return 0;
  return process.marginal(process.T() / asked_times).level();
}

/// What a step's loss takes of a batch y0 (N,…) in the chart, on y0's machine, with the key's times and
/// noise: arrays of fixed shapes, so that the loss can be captured (tensor/captured.h). `law` is of (IV.13).
inline std::vector<Tensor> loss_inputs(const ScoreModel& model, const LevelDistribution& law,
                                       const Tensor& y0, Key key) {
  if (model.meaning == Parameterisation::denoised) return denoising_draws(model.edm, y0, key, law);
  const Weight weight = model.meaning == Parameterisation::stein ? Weight::paper : Weight::noise;
  std::vector<double> t;
  for (std::int32_t i : integers(key.split(0), {y0.dim(0)}, 1, asked_times + 1).to_vector())
    t.push_back(model.process->T() * i / asked_times);
  return score_matching_draws(model, weight, y0, t, normal(key.split(1), y0.shape(), 0, y0.device()));
}

/// The loss given these, averaged over the batch.
inline Var training_loss(const ScoreModel& model, const std::vector<Tensor>& inputs) {
  if (model.meaning == Parameterisation::denoised) return denoising_loss(model.network, inputs);
  return 2 * score_matching_loss(model, inputs);
}

}  // namespace dale
