#include "experiments/compare/plan.h"

#include <algorithm>

#include "tensor/check.h"

namespace dale {
namespace {

const std::vector<int> few{10, 20}, many{5, 10, 20, 40, 100, 200, 500, 1000};

const std::vector<Plan> quick_plans{{"gbm", "probability-flow", few, 1000, 3},
                                    {"gbm", "probability-flow", {40}, 1000},
                                    {"gbm", "dpm-solver", few, 1000, 3},
                                    {"gbm", "dpm-solver", {40}, 1000},
                                    {"gbm", "probability-flow", {20, 40}, 256},
                                    {"gbm", "dale-langevin", {50, 100}, 256},
                                    {"gbm", "dale-langevin", {100}, 256, 1, "uniform"},
                                    {"gbm", "ancestral", {100}, 256},
                                    {"gbm", "unconstrained", {10}, 256},
                                    {"ve", "probability-flow", few, 1000, 3},
                                    {"ve", "probability-flow", {40}, 1000},
                                    {"ve", "dpm-solver", few, 1000, 3},
                                    {"ve", "dpm-solver", {40}, 1000},
                                    {"ve", "probability-flow", {20}, 256},
                                    {"gbm-paper", "dale-langevin", {1000}, 256, 1, "annealed"},
                                    {"gbm-paper", "dale-langevin", {100}, 256},
                                    {"gbm-paper", "probability-flow", {20}, 256}};
const std::vector<Plan> full_plans{{"gbm", "probability-flow", many, 10000, 3},
                                   {"gbm", "dpm-solver", many, 10000, 3},
                                   {"gbm", "dale-langevin", many, 10000},
                                   {"gbm", "unconstrained", many, 10000},
                                   {"gbm", "stochastic", many, 10000},
                                   {"gbm", "probability-flow", {20, 40}, 256},
                                   {"gbm", "dale-langevin", {100}, 256},
                                   {"gbm", "dale-langevin", {100}, 256, 1, "uniform"},
                                   {"ve", "probability-flow", many, 10000, 3},
                                   {"ve", "dpm-solver", many, 10000, 3},
                                   {"ve", "stochastic", many, 10000},
                                   {"ve", "probability-flow", {20}, 256},
                                   {"vp", "probability-flow", many, 10000, 3},
                                   {"vp", "dpm-solver", many, 10000, 3},
                                   {"gbm-paper", "dale-langevin", {1000}, 256, 1, "annealed"},
                                   {"gbm-paper", "dale-langevin", {1000}, 10000, 3, "annealed"},
                                   {"gbm-paper", "probability-flow", many, 10000}};
const std::vector<Plan> smoke_plans{{"gbm", "probability-flow", {3}, 66, 2},
                                    {"gbm", "dale-langevin", {3}, 66},
                                    {"gbm", "dale-langevin", {3}, 66, 1, "uniform"},
                                    {"ve", "probability-flow", {3}, 66, 2},
                                    {"gbm-paper", "dale-langevin", {3}, 66}};

const Profile profiles[] = {
    {.name = "quick",
     .channels = 16,
     .steps = 3600,
     .batch = 16,
     .learning_rate = 2e-3,
     .guided_steps = 1800,
     .quick_studies = false,
     .plans = quick_plans,
     .cost = "9 to 13 minutes a data set on two cores with nothing else to do"},
    {.name = "full",
     .channels = 32,
     .steps = 100000,
     .batch = 128,
     .learning_rate = 1e-3,
     .guided_steps = 20000,
     .quick_studies = false,
     .plans = full_plans,
     .cost = "four models of R1 on 12.8 million images each and some 460 million network evaluations per "
             "data set: "
             "about 10 hours at 10,000 images trained and 15,000 evaluated a second, as one GPU should do; "
             "estimated, not run"},
    {.name = "smoke",
     .channels = 8,
     .steps = 3,
     .batch = 8,
     .learning_rate = 1e-3,
     .guided_steps = 3,
     .quick_studies = true,
     .plans = smoke_plans,
     .cost = "seconds; its numbers mean nothing"}};

}  // namespace

std::filesystem::path Plan::folder(int budget) const {
  return std::filesystem::path(process) / fmt::format("{}-{}{}{}-{}", sampler, grid, grid.empty() ? "" : "-",
                                                      steps_within(sampler, budget), count);
}

std::vector<std::string> Profile::processes() const {
  std::vector<std::string> all;
  for (const Plan& plan : plans)
    if (std::find(all.begin(), all.end(), plan.process) == all.end()) all.push_back(plan.process);
  return all;
}

const Profile& profile_named(const std::string& name) {
  std::vector<std::string> known;
  for (const Profile& p : profiles) {
    if (p.name == name) return p;
    known.push_back(p.name);
  }
  unknown_name("profile", name, known);
}

int steps_within(const std::string& sampler, int budget) {
  return sampler == "probability-flow" || sampler == "stochastic" ? std::max(1, (budget + 1) / 2) : budget;
}

std::filesystem::path study_folder(const std::filesystem::path& out, const char* study, bool quick) {
  return out / "studies" / (std::string(study) + (quick ? "-smoke" : ""));
}

}  // namespace dale
