#include "experiments/run/runs.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/run/folder.h"
#include "tensor/check.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_below(const fs::path& folder, auto&& wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (wanted(at->path())) found.push_back(at->path());
  if (error) failed("cannot read the folder {}: {}", folder.string(), error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::string state_of(const fs::path& file) {
  try {
    read_safetensors(file);
    return "whole";
  } catch (const std::exception& error) { return error.what(); }
}

std::string text_of_run(const fs::path& run) {
  std::string text = run.string();
  try {
    const nlohmann::ordered_json config = read_config(read_file(run / "config.json"), run / "config.json");
    text += fmt::format("  {}, {}, {} steps of {} images", config.value("dataset", "?"),
                        config.value("process", "?"), config.value("steps", Index{0}),
                        config.value("batch", Index{0}));
  } catch (const std::exception& error) { text += fmt::format("  {}", error.what()); }
  text += "\n";
  for (const fs::path& file : sorted_below(run, [&](const fs::path& path) {
         return path.parent_path() == run && path.extension() == ".safetensors";
       }))
    text += fmt::format("  {:<34}{}\n", file.filename().string(), state_of(file));
  return text;
}

}  // namespace

std::string list_runs(const fs::path& folder) {
  std::string text;
  for (const fs::path& config :
       sorted_below(folder, [](const fs::path& path) { return path.filename() == "config.json"; }))
    text += text_of_run(config.parent_path());
  return text.empty() ? fmt::format("{}: no runs of dale train or tune\n", folder.string()) : text;
}

}  // namespace dale
