// `dale report RUN`: the page of one training run, of the files it left: curves of metrics.csv and
// validation.csv, and the grids of samples.
#pragma once

#include <filesystem>

namespace dale {

/// Writes RUN/report.html and returns its path; any time, while the run goes on too. Throws
/// std::runtime_error where the folder holds no run.
std::filesystem::path write_run_page(const std::filesystem::path& run);

}  // namespace dale
