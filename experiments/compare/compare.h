// `dale compare`, what `make experiments` runs: given the same network, budget, seed and number of network
// evaluations, how do multiplicative samplers compare with additive ones? For every data set found, models of
// several processes are trained alike; each is sampled by several samplers at several numbers of evaluations,
// with several seeds; each set of samples is judged (evaluate.h), pictures are drawn, and everything is left
// in files, of which the report is made:
//   OUT/comparison.json                       what was compared, by which command
//   OUT/DATASET/MODEL/                        a run of dale train, or of dale tune, and in it
//     SAMPLER-STEPS-COUNT/seed-K.json         what its samples were worth; seed-0/ has the first of them
//   OUT/DATASET/MODEL-seed-T/                 the same of further training seeds, for what claims rest on
//   OUT/DATASET/pictures/                     figures, and pictures.json with their captions
//   OUT/studies/NAME/                         a run of dale study
//   OUT/report.html                           made of these files alone
//
// What is on the disk and was made in the same way, by the same sources, is not made again: a comparison that
// stops is continued by giving the same command once more.
//
// Ranks (ranks.h) share training and sampling, and read what rank 0 wrote: the folder must be one for all.
#pragma once

#include "experiments/judge/evaluate.h"
#include "experiments/run/sample.h"
#include "experiments/run/train.h"

namespace dale {

/// A model that is compared: of a process, or tuned from that one to consistency.
struct ComparedModel {
  std::string process;
  bool tuned = false;
  int training_seed = 0;  // beyond the comparison's

  /// Its folder, in a data set's: PROCESS[-consistency][-seed-T].
  std::string name() const;
  bool operator==(const ComparedModel&) const = default;
};

/// Samples of a process by a sampler, at each budget: at most so many evaluations.
struct Plan {
  std::string process, sampler;
  std::vector<int> budgets;
  Index count;
  int seeds = 1;          // of sampling; where claims rest on it more than one, and then of training too
  std::string grid = "";  // "uniform"; "annealed", which is that with the paper's constants; or by level

  /// Which model is sampled.
  ComparedModel model(int training_seed = 0) const {
    return {process, sampler == "consistency", training_seed};
  }
  /// The folder of the samples at a budget, in a data set's.
  std::filesystem::path folder(int budget, int training_seed = 0) const;
};

struct Profile {
  std::string name;
  TrainOptions training, paper, tuning;  // of gbm and ve; of gbm-paper; to consistency
  Index guided_steps;                    // of a model with classes, on the first data set
  double s_min;  // the least level of samplers by level, in deviations of the data, but for the step to 0
  bool quick_studies;
  std::vector<Plan> plans;
  std::string cost;  // in words, for the report

  /// The models that are sampled, each once, in the plans' order, a process before what is tuned from it;
  /// with further training seeds those that claims rest on.
  std::vector<ComparedModel> models(int training_seed = 0) const;
};
/// "quick"; "overnight", of two cores; "smoke", which tries the machinery. Throws std::invalid_argument for
/// another name.
const Profile& profile_named(const std::string& name);

/// The solver steps that cost at most so many evaluations, and at least one step.
int steps_within(const std::string& sampler, int budget);

/// The folder of a study in OUT.
std::filesystem::path study_folder(const std::filesystem::path& out, const char* study, bool quick);

struct CompareOptions {
  std::vector<std::string> datasets;  // empty: all that are found
  std::string profile = "quick", data;
  std::filesystem::path out = "results";
  std::uint64_t seed = 0;
  Index shards = 0;        // of each batch of training, as TrainOptions has it
  int training_seeds = 1;  // seed, seed + 1, …: for what claims rest on (Plan::seeds)
  Device device = Device::cpu;
};

/// Throws std::runtime_error when no data set is found, std::invalid_argument for an unknown profile.
void compare(const CompareOptions& options);

/// How the samples of a plan at a budget are made, with the first seed.
SampleOptions sampling_of(const Plan& plan, int budget, const CompareOptions& options);

/// Draws the pictures of a data set, whose models lie in OUT/DATASET: grids from the same noise, what is
/// missing completed, trajectories, histograms, neighbours; and of the model in gbm-classes, if there is one,
/// classes with more and more guidance. Left alone where they are those of these models and sources.
void draw_pictures(const std::string& dataset, const Reference& reference, const CompareOptions& options);

}  // namespace dale
