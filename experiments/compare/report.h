// What a comparison found, read from its files (compare.h) and nothing else; and report.html of it: the
// question, the answer in sentences made from the numbers, and everything that supports it. Read first:
// page.h.
#pragma once

#include "experiments/compare/compare.h"

namespace dale {

struct CompareModel {
  std::string name;          // its folder
  std::vector<double> loss;  // a step each
  double seconds, images_per_second;
};

/// What one sampler's samples were worth, training seed by training seed, and in each seed by seed.
struct CompareRow {
  std::string process, sampler;
  int budget;
  Index count;
  std::string grid = "";  // as of a plan
  Index evaluations = 0, sign_changes = -1;
  double seconds = 0;                 // for `count` images, mean over the seeds
  std::string failure{};              // why there are no values, or ""
  std::vector<Evaluation> by_seed{};  // empty if it failed
  int to_come = 0;                    // seeds that a comparison in progress has not come to

  /// "ddim", "dale-langevin, uniform", …
  std::string sampler_and_grid() const { return sampler + (grid.empty() ? "" : ", " + grid); }
};

/// Of a measure over the seeds. REQUIRES by_seed not empty.
Spread spread(const CompareRow& row, Measure Evaluation::*measure);

struct CompareSet {
  std::string name, note, classifier;  // classifier: digest, accuracy and command, in words
  Index train_images, test_images;
  std::vector<CompareModel> models{};
  std::vector<CompareRow> rows{};
  std::string pictures{};  // HTML
};

/// The row of a process and sampler at a budget and count, or null when there is none or it failed. A budget
/// or count of 0 is the first row's, of the most samples.
const CompareRow* find_row(const CompareSet& set, const std::string& process, const std::string& sampler,
                           int budget, Index count = 0, const std::string& grid = "");

struct Comparison {
  std::string profile, build;  // build: build_info() of the program that compared
  std::uint64_t seed = 0;
  int training_seeds = 1;
  std::vector<std::string> asked, missing;  // data sets named by the command; not found
  std::vector<CompareSet> sets{};
  std::string studies{};  // HTML
  bool has_page = false;  // that of `make page`, in the same folder
  /// Of a comparison in progress: models not trained, samples not made, and an estimate of the time they
  /// take.
  bool finished = true;
  int models_to_come = 0, samples_to_come = 0;
  double seconds_to_come = 0;
};

/// Of the folder OUT, of a comparison in progress what is there. Throws std::runtime_error with the file that
/// is missing or not as a comparison leaves it.
Comparison read_comparison(const std::filesystem::path& out);

/// A page without any outside reference.
std::string report_html(const Comparison& comparison);

/// `dale report OUT`: reads what dale compare left in OUT and writes OUT/report.html, whose path is returned.
/// Throws as read_comparison.
std::filesystem::path write_report(const std::filesystem::path& out);

/// `dale report RUN`: RUN/report.html of the files that one training run left: curves of metrics.csv and
/// validation.csv, and the grids of samples; any time, while the run goes on too. Returns its path. Throws
/// std::runtime_error where the folder holds no run.
std::filesystem::path write_run_page(const std::filesystem::path& run);

}  // namespace dale
