// What a sampler is given, and the samplers in time: those of the paper, on its uniform grid. The others, by
// level, are rows of the table in sample.cpp.
#pragma once

#include "diffusion/sampler.h"
#include "experiments/data/dataset.h"
#include "experiments/run/sample.h"

namespace dale {

/// What a sampler is given: images first … first + N − 1 of a run.
struct Sampling {
  const Denoiser& D;
  const Model& model;
  const SampleOptions& options;
  Shape shape;
  std::uint64_t first;
  Key key;
  Index& sign_changes;

  enum : std::uint64_t { prior_stream, sampler_stream };  // of the key

  Key noise() const { return key.split(sampler_stream); }
  Var prior(double mean, double deviation) const {
    return normal_prior(shape, mean, deviation, key.split(prior_stream), first, options.device);
  }
};

// ---- In time: log x from the fitted log-normal, or the paper's

struct InTime {
  GeometricBrownianMotion gbm;
  Langevin how;
  Var start;
};

inline InTime in_time(const Sampling& b, Langevin PaperConstants::*tuned) {
  const SampleOptions& o = b.options;
  const auto gbm = GeometricBrownianMotion::driftless(o.sigma, o.horizon);
  const Prior fitted = gbm.prior(b.model.edm.mean, b.model.edm.deviation);
  if (!o.annealed) return {gbm, {o.steps}, b.prior(fitted.mean, fitted.deviation)};
  const auto dataset = b.model.notes.find("dataset");
  const PaperConstants& paper =
      paper_constants(dataset == b.model.notes.end() ? "" : published_name(dataset->second));
  return {gbm, paper.*tuned, b.prior(paper.prior_mean, paper.prior_deviation)};
}

inline Var sample_uniform(const Sampling& b, double eta) {
  const InTime t = in_time(b, &PaperConstants::dale_langevin);
  return take_steps(b.D, t.start, uniform_steps(t.gbm, t.how, eta), b.noise(), b.first);
}
inline Var sample_unconstrained(const Sampling& b) {
  const InTime t = in_time(b, &PaperConstants::unconstrained);
  const SignedState state = unconstrained(score_of(b.D, t.gbm), t.start, t.gbm, t.how, b.noise(), b.first);
  b.sign_changes = std::max<Index>(0, b.sign_changes) + state.sign_changes;
  // A negative x shows as the least pixel: log x of the smallest float keeps the picture finite and the count
  // says the rest.
  return where(greater(state.sign, Var(Tensor::full({}, 0, state.sign.device()))), state.log_x,
               Var(Tensor::full({}, -87, state.sign.device())));
}

}  // namespace dale
