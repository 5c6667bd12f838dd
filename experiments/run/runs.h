// `dale runs`: the training runs below a folder, what they are of, how far they came, and whether what they
// keep can be read.
#pragma once

#include <filesystem>
#include <string>

namespace dale {

/// A line for each folder with a config.json, and one for each of its checkpoints and its model. Reads every
/// file whole. Throws std::runtime_error where the folder is none.
std::string list_runs(const std::filesystem::path& folder);

}  // namespace dale
