// What a comparison makes, and where it lies:
//
//   OUT/comparison.json                       what was compared, by which command
//   OUT/DATASET/PROCESS/                      a run of dale train, and in it
//     SAMPLER-STEPS-COUNT/seed-K.json         what its samples were worth; seed-0/ has the first of them
//   OUT/DATASET/pictures/                     figures, and pictures.json with their captions
//   OUT/studies/NAME/                         a run of dale study
//   OUT/report.html                           made of these files alone
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/shape.h"

namespace dale {

/// Samples of a process by a sampler, at each budget: at most so many evaluations.
struct Plan {
  std::string process, sampler;
  std::vector<int> budgets;
  Index count;
  int seeds = 1;
  std::string grid = "";  // "uniform"; "annealed", which is that with the paper's constants; or by level

  /// The folder, in a data set's, of the samples at a budget.
  std::filesystem::path folder(int budget) const;
};

struct Profile {
  std::string name;
  Index channels, steps, batch;  // of training
  double learning_rate;          // at its start; it falls to 0 as a cosine
  Index guided_steps;            // of a model with classes, on the first data set
  bool quick_studies;
  std::vector<Plan> plans;
  std::string cost;  // in words, for the report

  /// Those of the plans, each once, in their order.
  std::vector<std::string> processes() const;
};
/// "quick"; "full", the paper's scale; "smoke", which tries the machinery. Throws std::invalid_argument for
/// another name.
const Profile& profile_named(const std::string& name);

/// The solver steps that cost at most so many evaluations, and at least one step.
int steps_within(const std::string& sampler, int budget);

/// The folder of a study in OUT.
std::filesystem::path study_folder(const std::filesystem::path& out, const char* study, bool quick);

}  // namespace dale
