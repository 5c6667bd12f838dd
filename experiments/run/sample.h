// Sampling: `dale sample`. What it leaves in a folder is samples.h's.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "experiments/run/model.h"

namespace dale {

struct SampleOptions {
  std::string sampler = "probability-flow";
  int steps = 20;
  Index count = 64, batch = 64;
  std::uint64_t seed = 0;
  /// By level: from s_max_factor σ_d (the process's last level at most) to s_min_factor σ_d (the least level
  /// of training, if that is larger), and from there to 0. Few levels of training lie lower (loss.h).
  double s_min_factor = 0.6, s_max_factor = 40;
  std::string grid = "levels";  // of dale-langevin and eta; or "uniform": the paper's, in time
  /// Of consistency: the levels between, in standard deviations of the data (consistency_levels).
  std::vector<double> between{};
  double sigma = 0.8, horizon = 1, eta = 0.5;  // in time: σ and T of the forward process; η of the family
  bool annealed = false;  // uniform, at paper_levels steps: the paper's constants for the model's data set
  std::vector<std::int32_t> classes;  // that images take in turn; empty: of no class
  double guidance = 1;                // w of classifier-free guidance (IV.31)
  /// (C,H,W) pixels to be completed, and (1,H,W) where they are known (1) or not (0); or undefined.
  Tensor known, mask;
  std::function<void(const Var& y, double s)> watch;  // sees what the network is asked of the first batch
  Device device = Device::cpu;
};

class SamplesFolder;

struct SampleResult {
  Tensor images;      // (count,C,H,W) in the data's units
  Index evaluations;  // of the network, for each image
  double seconds;
  Index sign_changes = -1;  // of the unconstrained sampler, over all images; −1 for the others
};

/// Those that walk a denoiser; "consistency", the other, is for models that were tuned to it.
std::vector<std::string> sampler_names();

/// Those options of the command line that the sampler does not read though another does ("--eta" …).
std::vector<std::string> unread_options(const SampleOptions& options);

/// The same model, options and build give the same bytes, at any number of threads and in batches of any
/// size. Throws std::invalid_argument for an unknown sampler, a multiplicative sampler on an additive
/// process, the paper's constants at other than its levels, classes that the model does not know, and a known
/// picture or mask of another size than the model's; std::runtime_error, with the step and the op, when a
/// state is not finite.
///
/// Known pixels come out as they are in `known`, whatever the sampler. With a folder (samples.h) every batch
/// is kept there as soon as it is made, and those that are there already are not made again. Throws Stopped
/// after SIGINT or SIGTERM, at the next evaluation of the network.
SampleResult sample(Model& model, const SampleOptions& options, SamplesFolder* folder = nullptr);

/// The options that the samples' values depend on: of those that only some samplers read, the ones that this
/// one does. As sample.json holds them.
nlohmann::ordered_json json_of(const SampleOptions& options);

}  // namespace dale
