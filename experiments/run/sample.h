// Sampling: `dale sample`. Leaves samples.npy (N,1,28,28) float32 in [0,1], grid.png and sample.json.
#pragma once

#include "experiments/run/model.h"

namespace dale {

struct SampleOptions {
  std::string sampler = "probability-flow";
  int steps = 20;
  Index count = 64, batch = 64;
  std::uint64_t seed = 0;
  double s_min = 0.002,
         s_max_factor = 40;  // by level: from s_max_factor σ_d (the process's last level at most) to s_min
  double sigma = 0.8, horizon = 1, eta = 0.5;  // in time: σ and T of the forward process; η of the family
  bool annealed = false;  // in time, at paper_levels steps: the paper's constants for the model's data set
  std::vector<std::int32_t> classes;  // that images take in turn; empty: of no class
  double guidance = 1;                // w of classifier-free guidance (22)
  Tensor known,
      mask;  // (1,H,W) pixels to be completed, and where they are known (1) or not (0); or undefined
  std::function<void(const Var& y, double s)> watch;  // sees what the network is asked of the first batch
  Device device = Device::cpu;
};

struct SampleResult {
  Tensor images;      // (count,1,H,W) in [0,1]
  Index evaluations;  // of the network, for each image
  double seconds;
  Index sign_changes = -1;  // of the unconstrained sampler, over all images; −1 for the others
};

/// "probability-flow", "ddim", "dpm-solver", "ancestral", "stochastic", "dale-langevin", "unconstrained",
/// "eta".
const std::vector<std::string>& sampler_names();

/// Those options of the command line that a sampler does not read though another does ("--eta" …).
std::vector<std::string> unread_options(const std::string& sampler);

/// The same model, options and build give the same bytes, at any number of threads and in batches of
/// any size. Throws
/// std::invalid_argument for an unknown sampler, a multiplicative sampler on an additive process, the paper's
/// constants at other than its levels, classes
/// that the model does not know, and a known picture or mask of another size than the model's;
/// std::runtime_error, with the step and the op, when a state is not finite.
SampleResult sample(Model& model, const SampleOptions& options);

/// Writes the three files into `out`.
void write_samples(const std::filesystem::path& out, const SampleResult& result, const Model& model,
                   const SampleOptions& options);

/// Mean and standard error of the bits per dimension (20) of the first `count` test images of a data set, by
/// the probability flow of the model at `path` with one Hutchinson draw per image. Throws as load_model and
/// load_dataset.
struct Likelihood {
  double bits, standard_error;
  Index count;
  std::string note;  // the data set's
};
Likelihood likelihood(const std::filesystem::path& path, const std::string& dataset, const std::string& data,
                      Index count, int steps, Key key, Device device = Device::cpu);

}  // namespace dale
