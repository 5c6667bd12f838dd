// Sampling: `dale sample`. Leaves samples.npy (N,1,28,28) float32 in [0,1], grid.png and sample.json.
#pragma once

#include "experiments/model.h"

namespace dale {

struct SampleOptions {
  std::string sampler = "probability-flow";
  int steps = 20;
  Index count = 64, batch = 64, size = 28;
  std::uint64_t seed = 0;
  double s_min = 0.002, s_max_factor = 40;  // probability flow: levels from s_max_factor σ_d down to s_min
  double sigma = 0.8, horizon = 1;          // Dale–Langevin: σ and T of the forward process
  Device device = Device::cpu;
};

struct SampleResult {
  Tensor images;      // (count,1,size,size) in [0,1]
  Index evaluations;  // of the network, for each image
  double seconds;
};

/// "dale-langevin", "probability-flow".
const std::vector<std::string>& sampler_names();

/// The same model, options and build give the same bytes, at any number of threads. Throws std::invalid_argument for an
/// unknown sampler, or a multiplicative sampler on an additive process; std::runtime_error, with the step and the op,
/// when a state is not finite.
SampleResult sample(Model& model, const SampleOptions& options);

/// Writes the three files into `out`.
void write_samples(const std::filesystem::path& out, const SampleResult& result, const Model& model,
                   const SampleOptions& options);

}  // namespace dale
