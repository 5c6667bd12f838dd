// What a comparison makes, and where it lies:
//
//   OUT/comparison.json                       what was compared, by which command
//   OUT/DATASET/MODEL/                        a run of dale train, or of dale tune, and in it
//     SAMPLER-STEPS-COUNT/seed-K.json         what its samples were worth; seed-0/ has the first of them
//   OUT/DATASET/MODEL-seed-T/                 the same of further training seeds, for what claims rest on
//   OUT/DATASET/pictures/                     figures, and pictures.json with their captions
//   OUT/studies/NAME/                         a run of dale study
//   OUT/report.html                           made of these files alone
#pragma once

#include <filesystem>
#include <string>
#include <vector>

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

}  // namespace dale
