// `dale compare`, what `make experiments` runs: for every data set found, the multiplicative and the additive
// model with the same network, loss, budget, seed and noise; only the chart differs. Leaves a folder a data
// set and process, and one self-contained report.html.
#pragma once

#include "experiments/sample.h"
#include "experiments/train.h"

namespace dale {

struct CompareOptions {
  std::vector<std::string> datasets;  // empty: all that are found
  std::string profile = "quick", data;
  std::filesystem::path out = "results";
  std::uint64_t seed = 0;
  Device device = Device::cpu;
};

/// One model, trained, and what each of its samplers gave.
struct CompareRow {
  std::string dataset, process;
  TrainResult training;
  struct Samples {
    SampleOptions options;
    SampleResult result;
  };
  std::vector<Samples> samples;
};

/// Continues what an earlier call left unfinished in `out`. Throws std::runtime_error when no data set is
/// found, std::invalid_argument for an unknown profile, and as train.
void compare(const CompareOptions& options);

/// The report: a page without any outside reference. `missing` are the data sets that were not found.
std::string report_html(const CompareOptions& options, const std::vector<CompareRow>& rows,
                        const std::vector<std::string>& missing);

}  // namespace dale
