// A run's folder, so written that the run can be stopped anywhere (killed, out of disk, out of power) and
// continued:
//   config.json                     everything resolved, when the run starts or continues
//   metrics.csv                     a row per step
//   checkpoint-00000200.safetensors the state after that many steps; the last two are kept
//   model.safetensors               at the end
// Before a checkpoint gets its name the rows of its steps are on the disk. So whatever happens, the newest
// whole checkpoint at step n finds rows 1 … n; later rows belong to steps that will be made again, and are
// cut off.
// One process works in a folder at a time: two runs in one would leave the model of one beside the metrics of
// the other.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nn/checkpoint.h"
#include "tensor/file.h"

namespace dale {

/// The lock is advisory (flock) and goes with its process, however that ends.
class FolderLock {
 public:
  /// Takes FOLDER/.lock, for this process's life or the object's. Throws std::runtime_error that names the
  /// holder when another process has it. Where the file system has no locks it does nothing.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

struct MetricsRow {
  double loss, gradient_norm, learning_rate, images_per_second;
};

/// metrics.csv, growing.
class Metrics {
 public:
  /// Keeps the rows of steps 1 … steps of FOLDER/metrics.csv and removes what follows. A row that is missing
  /// or is not five numbers becomes NaN, which is said on stderr: what can be lost is a curve, not the model.
  /// Without a folder rows are kept here alone, and those of `steps` steps are NaN.
  Metrics(const std::filesystem::path& folder, Index steps);
  void append(const MetricsRow& row);
  /// Returns when every row is on the disk.
  void sync() {
    if (file_) file_->sync();
  }
  /// A row per step, from the first; NaN where it was lost.
  const std::vector<MetricsRow>& rows() const { return rows_; }

 private:
  std::vector<MetricsRow> rows_;
  std::optional<Appender> file_;
};

/// Those of FOLDER/metrics.csv. Throws std::runtime_error when one is not as append leaves it.
std::vector<MetricsRow> read_metrics(const std::filesystem::path& folder);
/// The rows of FOLDER/validation.csv (watch.h), step and loss; none where there is no such file.
std::vector<std::pair<Index, double>> read_validation(const std::filesystem::path& folder);

/// The state of training after some steps.
struct Checkpoint {
  std::filesystem::path path;
  Index steps;
  NamedTensors state;
};

/// Writes state as FOLDER's checkpoint after `steps`, in the width of `real`, and removes all checkpoints
/// but this and the one before.
void save_checkpoint(const std::filesystem::path& folder, Index steps, NamedTensors state);

/// Whether a run left a checkpoint or a model here.
bool holds_run(const std::filesystem::path& folder);

/// The last checkpoint that can be read; one that cannot is said on stderr and passed over. Nothing where
/// there is none; throws std::runtime_error where there are some and none can be read.
std::optional<Checkpoint> last_checkpoint(const std::filesystem::path& folder);

/// A flat JSON object, as config.json and a checkpoint's metadata hold it. Throws std::runtime_error with
/// `where` for anything else.
nlohmann::ordered_json read_config(std::string_view text, const std::string& where);

/// Whether a file is there, is JSON and says under "made_of" that it was made so.
bool is_made_of(const std::filesystem::path& path, const nlohmann::ordered_json& wanted);

/// Throws std::invalid_argument for the first entry in which `now` differs from `before`, but for those
/// named in `free`.
void expect_same_config(const nlohmann::ordered_json& before, const nlohmann::ordered_json& now,
                        const std::vector<std::string>& free, const std::string& where);

/// `dale runs`: a line for each folder below with a config.json, what the run is of and how far it is to go,
/// and one for each of its checkpoints and its model, whether it can be read: every file is, whole. Throws
/// std::runtime_error where the folder is none.
std::string list_runs(const std::filesystem::path& folder);

}  // namespace dale
