// `dale compare`, what `make experiments` runs: given the same network, budget, seed and number of network
// evaluations, how do multiplicative samplers compare with additive ones? For every data set found, models of
// several processes are trained alike; each is sampled by several samplers at several numbers of evaluations,
// with several seeds; each set of samples is judged (evaluate.h); and one self-contained report.html tells.
//
//   OUT/DATASET/PROCESS/                      a run of dale train, and in it
//     SAMPLER-STEPS-COUNT/seed-K.json         what its samples were worth; seed-0/ has the first of them
//   OUT/studies/NAME/                         a run of dale study
//
// What is on the disk and was made in the same way is not made again: a comparison that stops is continued by
// giving the same command once more, and one that is done only writes its report anew.
#pragma once

#include "experiments/judge/evaluate.h"
#include "experiments/run/sample.h"
#include "experiments/run/train.h"

namespace dale {

/// Samples of a process by a sampler, at each budget: at most so many evaluations.
struct Plan {
  std::string process, sampler;
  std::vector<int> budgets;
  Index count;
  int seeds = 1;
  bool annealed = false;  // with the paper's constants
};

struct Profile {
  std::string name;
  Index channels, steps, batch;  // of training
  double learning_rate;          // at its start; it falls to 0 as a cosine
  Index guided_steps;            // of a model with classes, on the first data set
  bool quick_studies;
  std::vector<Plan> plans;
  std::string cost;  // in words, for the report
};
/// "quick"; "full", the paper's scale; "smoke", which tries the machinery. Throws std::invalid_argument for
/// another name.
const Profile& profile_named(const std::string& name);

/// The solver steps that cost at most so many evaluations, and at least one step.
int steps_within(const std::string& sampler, int budget);

struct CompareOptions {
  std::vector<std::string> datasets;  // empty: all that are found
  std::string profile = "quick", data;
  std::filesystem::path out = "results";
  std::uint64_t seed = 0;
  Device device = Device::cpu;
};

struct CompareModel {
  std::string process;
  TrainResult training;
};

/// What one sampler's samples of one model were worth, seed by seed.
struct CompareRow {
  std::string process;
  SampleOptions options;  // of the first seed
  int budget;
  std::filesystem::path samples;  // of the first seed
  Index evaluations = 0, sign_changes = -1;
  double seconds = 0;               // for `count` images, mean over the seeds
  std::string failure;              // why there are no values, or ""
  std::vector<Evaluation> by_seed;  // empty if it failed
};

/// Mean and standard deviation (0 of one seed) of a measure over the seeds. REQUIRES by_seed not empty.
struct Spread {
  double mean, deviation;
};
Spread spread(const CompareRow& row, Measure Evaluation::*measure);

struct CompareSet {
  std::string name, note, classifier;  // classifier: digest, accuracy and command, in words
  Index train_images, test_images;
  std::vector<CompareModel> models;
  std::vector<CompareRow> rows;
  std::string pictures;  // HTML
};

/// The row of a process and sampler at a budget and count, or null when there is none or it failed.
const CompareRow* find_row(const CompareSet& set, const std::string& process, const std::string& sampler,
                           int budget, Index count);

/// Throws std::runtime_error when no data set is found, std::invalid_argument for an unknown profile.
void compare(const CompareOptions& options);

/// The pictures of a data set, as HTML: grids from the same noise, what is missing completed, trajectories,
/// histograms, neighbours; and of the model at `guided`, if any, classes with more and more guidance.
std::string pictures_html(const CompareSet& set, const Reference& reference, const CompareOptions& options,
                          const std::filesystem::path& guided);

/// The report: a page without any outside reference. `missing` are the data sets that were not found,
/// `studies` the sections of the studies.
std::string report_html(const CompareOptions& options, const std::vector<CompareSet>& sets,
                        const std::vector<std::string>& missing, const std::string& studies);

}  // namespace dale
