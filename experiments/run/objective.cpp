#include "experiments/run/objective.h"

#include "tensor/draw.h"

namespace dale {
namespace {

constexpr int times = 1000;  // i T/times, i = 1 … times

}  // namespace

Parameterisation default_prediction(const Process& process) {
  if (process.name() == "gbm-paper") return Parameterisation::stein;
  return process.name() == "vp" ? Parameterisation::noise : Parameterisation::denoised;
}

double least_level(const Process& process) {
  if (default_prediction(process) == Parameterisation::denoised) return 0;
  return process.marginal(process.T() / times).level();
}

std::vector<Tensor> loss_inputs(const ScoreModel& model, const LevelDistribution& law, const Tensor& y0,
                                Key key) {
  if (model.meaning == Parameterisation::denoised) return denoising_draws(model.edm, y0, key, law);
  const Weight weight = model.meaning == Parameterisation::stein ? Weight::paper : Weight::noise;
  std::vector<double> t;
  for (std::int32_t i : integers(key.split(0), {y0.dim(0)}, 1, times + 1).to_vector())
    t.push_back(model.process->T() * i / times);
  return score_matching_draws(model, weight, y0, t, normal(key.split(1), y0.shape(), 0, y0.device()));
}

Var training_loss(const ScoreModel& model, const std::vector<Tensor>& inputs) {
  if (model.meaning == Parameterisation::denoised) return denoising_loss(model.network, inputs);
  return 2 * score_matching_loss(model, inputs);
}

}  // namespace dale
