#include <algorithm>

#include "experiments/compare/compare.h"
#include "tensor/check.h"

namespace dale {
namespace {

// Those of the most samples come first: the report's sentences are of them.
const std::vector<Plan> quick_plans{{"gbm", "probability-flow", {10, 20}, 1000, 3},
                                    {"gbm", "probability-flow", {40}, 1000},
                                    {"gbm", "dpm-solver", {10, 20}, 1000, 3},
                                    {"gbm", "dpm-solver", {40}, 1000},
                                    {"gbm", "consistency", {1, 2, 3}, 1000, 3},
                                    {"gbm", "probability-flow", {20}, 256},
                                    {"gbm", "probability-flow", {40}, 256, 3},
                                    {"gbm", "dale-langevin", {50}, 256},
                                    {"gbm", "dale-langevin", {100}, 256, 3},
                                    {"gbm", "dale-langevin", {100}, 256, 1, "uniform"},
                                    {"gbm", "ancestral", {100}, 256},
                                    {"gbm", "unconstrained", {10}, 256},
                                    {"ve", "probability-flow", {10, 20}, 1000, 3},
                                    {"ve", "probability-flow", {40}, 1000},
                                    {"ve", "dpm-solver", {10, 20}, 1000, 3},
                                    {"ve", "dpm-solver", {40}, 1000},
                                    {"ve", "probability-flow", {20}, 256},
                                    {"gbm-paper", "dale-langevin", {1000}, 256, 1, "annealed"},
                                    {"gbm-paper", "dale-langevin", {100}, 256},
                                    {"gbm-paper", "probability-flow", {20}, 256}};
/// A night gives more samples to what they tell apart, and ve its consistency model.
const std::vector<Plan> overnight_plans = [] {
  std::vector<Plan> all{{"gbm", "dpm-solver", {20}, 10000},
                        {"gbm", "consistency", {1, 2}, 10000},
                        {"ve", "dpm-solver", {20}, 10000},
                        {"ve", "consistency", {1, 2}, 10000},
                        {"ve", "consistency", {1, 2, 3}, 1000, 3}};
  all.insert(all.end(), quick_plans.begin(), quick_plans.end());
  return all;
}();
const std::vector<Plan> smoke_plans{
    {"gbm", "probability-flow", {3}, 66, 2}, {"gbm", "consistency", {1}, 66, 2},
    {"gbm", "dale-langevin", {3}, 66},       {"gbm", "dale-langevin", {3}, 66, 1, "uniform"},
    {"ve", "probability-flow", {3}, 66, 2},  {"gbm-paper", "dale-langevin", {3}, 66}};

/// The learning rate falls to 0 as a cosine.
TrainOptions training(Index steps, Index batch, double rate, const char* optimizer = "muon",
                      TrainOptions t = {}) {
  t.steps = steps;
  t.batch = batch;
  t.learning_rate = rate;
  t.optimizer = optimizer;
  t.decay = "cosine";
  return t;
}

// gbm-paper in the night at the learning rate of the paper's authors. What saw more images is right further
// down: the least level, too, was chosen on training images that were kept back (README.md).
const Profile profiles[] = {{"quick", training(3600, 16, 2e-3), training(3600, 16, 2e-3, "adam"),
                             training(3600, 16, 1e-3, "muon", usual_tuning()), 1800, 0.6, false, quick_plans,
                             "some 10 to 20 minutes a data set on two cores with nothing else to do"},
                            {"overnight", training(62500, 32, 2e-3), training(62500, 32, 1e-4, "adam"),
                             training(31250, 16, 1e-3, "muon", usual_tuning()), 10000, 0.25, false,
                             overnight_plans, "some 2 to 8 hours a data set on two cores"},
                            {"smoke", training(3, 8, 1e-3), training(3, 8, 1e-3, "adam"),
                             training(3, 8, 1e-3, "muon", usual_tuning()), 3, 0.6, true, smoke_plans,
                             "seconds; its numbers mean nothing"}};

}  // namespace

std::string ComparedModel::name() const {
  return process + (tuned ? "-consistency" : "") +
         (training_seed ? fmt::format("-seed-{}", training_seed) : "");
}

std::filesystem::path Plan::folder(int budget, int training_seed) const {
  return std::filesystem::path(model(training_seed).name()) /
         fmt::format("{}-{}{}{}-{}", sampler, grid, grid.empty() ? "" : "-", steps_within(sampler, budget),
                     count);
}

std::vector<ComparedModel> Profile::models(int training_seed) const {
  std::vector<ComparedModel> all;
  for (const Plan& plan : plans)
    for (const ComparedModel& model :
         {ComparedModel{plan.process, false, training_seed}, plan.model(training_seed)})
      if ((!training_seed || plan.seeds > 1) && std::find(all.begin(), all.end(), model) == all.end())
        all.push_back(model);
  return all;
}

const Profile& profile_named(const std::string& name) { return row_named("profile", name, profiles); }

int steps_within(const std::string& sampler, int budget) {
  return sampler == "probability-flow" || sampler == "stochastic" ? std::max(1, (budget + 1) / 2) : budget;
}

std::filesystem::path study_folder(const std::filesystem::path& out, const char* study, bool quick) {
  return out / "studies" / (std::string(study) + (quick ? "-smoke" : ""));
}

}  // namespace dale
