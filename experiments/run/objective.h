// What a model of a process learns, said once: the meaning of what its network predicts, the loss, the times
// at which it is asked, and so what a training step draws.
//
//   process    prediction  loss                                            times
//   vp         noise       2 × (5) with w = s²: ‖F − Z‖² (Ho et al. 2020)  i T/1000, i uniform in 1 … 1000
//   gbm-paper  stein       2 × (5) with w = s⁴: the paper's                the same: those its sampler visits
//   the others denoised    (6), EDM's                                      ln s ~ N(P_mean, P_std²)
#pragma once

#include "diffusion/loss.h"

namespace dale {

/// What a network of a process is trained to give.
Parameterisation default_prediction(const Process& process);

/// The least noise level that its loss asks it at, or 0 where that is arbitrarily small.
double least_level(const Process& process);

/// What a step's loss takes of a batch y0 (N,…) in the chart, on y0's machine, with the key's times and
/// noise: arrays of fixed shapes, so that the loss can be captured (tensor/captured.h). `law` is of (6).
std::vector<Tensor> loss_inputs(const ScoreModel& model, const LevelDistribution& law, const Tensor& y0,
                                Key key);
/// The loss given these, averaged over the batch.
Var training_loss(const ScoreModel& model, const std::vector<Tensor>& inputs);

}  // namespace dale
