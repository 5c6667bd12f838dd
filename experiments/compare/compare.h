// `dale compare`, what `make experiments` runs: given the same network, budget, seed and number of network
// evaluations, how do multiplicative samplers compare with additive ones? For every data set found, models of
// several processes are trained alike; each is sampled by several samplers at several numbers of evaluations,
// with several seeds; each set of samples is judged (evaluate.h), pictures are drawn, and everything is left
// in files (plan.h), of which the report is made.
//
// What is on the disk and was made in the same way, by the same sources, is not made again: a comparison that
// stops is continued by giving the same command once more.
//
// Ranks (ranks.h) share training and sampling, and read what rank 0 wrote: the folder must be one for all.
#pragma once

#include "experiments/compare/plan.h"
#include "experiments/judge/evaluate.h"
#include "experiments/run/sample.h"

namespace dale {

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
