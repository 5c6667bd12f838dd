#include "experiments/run/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tensor/check.h"

namespace dale {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view header = "step,loss,gradient_norm,learning_rate,images_per_second";
constexpr std::string_view prefix = "checkpoint-", ending = ".safetensors";

/// The steps in a checkpoint's name; nothing for another name.
std::optional<Index> steps_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(prefix) || !name.ends_with(ending)) return std::nullopt;
  Index steps = 0;
  const char *begin = name.data() + prefix.size(), *end = name.data() + name.size() - ending.size();
  const auto [last, error] = std::from_chars(begin, end, steps);
  return error == std::errc() && last == end ? std::optional(steps) : std::nullopt;
}

/// Checkpoints of a folder, the last first.
std::vector<Checkpoint> checkpoints(const fs::path& folder) {
  std::vector<Checkpoint> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (const auto steps = steps_of(entry.path())) all.push_back({entry.path(), *steps, {}});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.steps > b.steps; });
  return all;
}

/// Step and row of a line; nothing unless it is five numbers with commas between.
std::optional<std::pair<Index, MetricsRow>> row_of(const std::string& line) {
  long long step = 0;
  MetricsRow row{};
  char more = 0;
  const int read = std::sscanf(line.c_str(), "%lld,%lf,%lf,%lf,%lf%c", &step, &row.loss, &row.gradient_norm,
                               &row.learning_rate, &row.images_per_second, &more);
  return read == 5 ? std::optional(std::pair(Index{step}, row)) : std::nullopt;
}

/// The whole lines of a text, of which a half one at the end is none.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream from(text);
  for (std::string line; std::getline(from, line) && !from.eof();) lines.push_back(line);
  return lines;
}

std::string text_of(Index step, const MetricsRow& row) {
  return fmt::format("{},{:.9g},{:.9g},{:.9g},{:.6g}\n", step, row.loss, row.gradient_norm, row.learning_rate,
                     row.images_per_second);
}

/// Whether the open file is still the one that the path names.
bool is_named(int file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
}

/// The process that wrote itself into the file, and its machine.
std::string holder(int file) {
  std::array<char, 256> text{};
  const ssize_t n = pread(file, text.data(), text.size(), 0);
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : "another process";
}

/// What f says, or what is wrong.
std::string said(const auto& f) try { return f(); } catch (const std::exception& error) {
  return error.what();
}

}  // namespace

// The lock's file is removed while it is locked. Whoever opened it before then holds a file without a name;
// that is seen by comparing the two, and the new one is tried.
FolderLock::FolderLock(const fs::path& folder) : path_(folder / ".lock") {
  do {
    if (file_ >= 0) close(file_);
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) failed("cannot write {}: {}", path_.string(), std::strerror(errno));
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const bool taken = errno == EWOULDBLOCK;
      const std::string by = holder(file_);
      close(file_);
      file_ = -1;
      if (!taken) return;
      failed("{} is in use by {}: wait until it ends, or choose another --out", folder.string(), by);
    }
  } while (!is_named(file_, path_));
  std::array<char, 128> host{};
  gethostname(host.data(), host.size() - 1);
  const std::string text = fmt::format("process {} on {}", getpid(), host.data());
  if (ftruncate(file_, 0) != 0 || write(file_, text.data(), text.size()) < 0)
    return;  // the lock holds anyway
}

FolderLock::~FolderLock() {
  if (file_ < 0) return;
  unlink(path_.c_str());
  close(file_);
}

std::vector<MetricsRow> read_metrics(const fs::path& folder) {
  const fs::path path = folder / "metrics.csv";
  const std::vector<std::string> lines = lines_of(read_file(path));
  if (lines.empty() || lines[0] != header) failed("{}: expected the first line {}", path.string(), header);
  std::vector<MetricsRow> rows;
  for (std::size_t step = 1; step < lines.size(); ++step) {
    const auto row = row_of(lines[step]);
    if (!row || row->first != static_cast<Index>(step))
      failed("{}: line {} is no row of step {}; expected five numbers with commas between", path.string(),
             step + 1, step);
    rows.push_back(row->second);
  }
  return rows;
}

std::vector<std::pair<Index, double>> read_validation(const fs::path& folder) {
  std::vector<std::pair<Index, double>> rows;
  if (!fs::exists(folder / "validation.csv")) return rows;
  for (const std::string& line : lines_of(read_file(folder / "validation.csv"))) {
    long long step = 0;
    double loss = 0;
    if (std::sscanf(line.c_str(), "%lld,%lf", &step, &loss) == 2) rows.emplace_back(step, loss);
  }
  return rows;
}

Metrics::Metrics(const fs::path& folder, Index steps) {
  constexpr double lost = std::numeric_limits<double>::quiet_NaN();
  rows_.assign(static_cast<std::size_t>(steps), {lost, lost, lost, lost});
  if (folder.empty()) return;
  const fs::path path = folder / "metrics.csv";
  std::error_code ignored;
  const std::string before = steps > 0 && fs::exists(path, ignored) ? read_file(path) : "";
  for (const std::string& line : lines_of(before))
    if (const auto row = row_of(line); row && row->first >= 1 && row->first <= steps)
      rows_[static_cast<std::size_t>(row->first) - 1] = row->second;
  std::string text = fmt::format("{}\n", header);
  Index missing = 0;
  for (Index step = 1; step <= steps; ++step) {
    const MetricsRow& row = rows_[static_cast<std::size_t>(step - 1)];
    if (std::isnan(row.learning_rate)) ++missing;
    text += text_of(step, row);
  }
  if (missing)
    say("{}: the rows of {} of {} steps are lost and stand as nan; the model does not depend on them\n",
        path.string(), missing, steps);
  write_file(path, text);
  file_.emplace(path);
}

void Metrics::append(const MetricsRow& row) {
  rows_.push_back(row);
  if (file_) file_->append(text_of(static_cast<Index>(rows_.size()), row));
}

void save_checkpoint(const fs::path& folder, Index steps, NamedTensors state) {
  state.metadata["format"] = "dale checkpoint";
  state.metadata["step"] = std::to_string(steps);
  write_safetensors(folder / fmt::format("{}{:08}{}", prefix, steps, ending), state, sizeof(real));
  Index kept = 0;
  for (const Checkpoint& c : checkpoints(folder))
    if (c.steps > steps || ++kept > 2) fs::remove(c.path);
}

bool holds_run(const fs::path& folder) {
  return fs::exists(folder / "model.safetensors") || !checkpoints(folder).empty();
}

std::optional<Checkpoint> last_checkpoint(const fs::path& folder) {
  std::vector<Checkpoint> all = checkpoints(folder);
  for (Checkpoint& c : all) {
    try {
      c.state = read_safetensors(c.path);
      if (c.state.metadata["format"] != "dale checkpoint" ||
          c.state.metadata["step"] != std::to_string(c.steps))
        failed("{}: its metadata is not that of a checkpoint after {} steps", c.path.string(), c.steps);
      return std::move(c);
    } catch (const std::runtime_error& error) {
      say("{}; passed over for the checkpoint before it\n", error.what());
    }
  }
  if (!all.empty())
    failed("none of the checkpoints in {} can be read: mend or remove them, or choose another --out",
           folder.string());
  return std::nullopt;
}

Json read_config(std::string_view text, const std::string& where) {
  int deepest = 0;
  const auto watch = [&](int depth, Json::parse_event_t, const Json&) {
    deepest = std::max(deepest, depth);
    return depth <= 3;
  };
  Json config = Json::parse(text, watch, false);
  if (config.is_discarded() || !config.is_object() || deepest > 3 || text.find('\0') != text.npos)
    failed("{}: no JSON object of at most three levels; expected the config of a run", where);
  return config;
}

bool is_made_of(const fs::path& path, const Json& wanted) {
  if (std::error_code ignored; !fs::exists(path, ignored)) return false;
  const Json json = Json::parse(read_file(path), nullptr, false);
  return json.is_object() && json.value("made_of", Json()) == wanted;
}

void expect_same_config(const Json& before, const Json& now, const std::vector<std::string>& free,
                        const std::string& where) {
  for (const auto& [key, value] : now.items()) {
    if (std::find(free.begin(), free.end(), key) != free.end()) continue;
    const Json then = before.contains(key) ? before[key] : Json();
    if (then != value)
      invalid(
          "{} was made with {} = {}, not {}: continue it with the options it began with, or choose another "
          "--out",
          where, key, then.dump(), value.dump());
  }
}

std::string list_runs(const fs::path& folder) {
  std::set<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->path().filename() == "config.json" || at->path().extension() == ending) files.insert(at->path());
  if (error) failed("cannot read the folder {}: {}", folder.string(), error.message());
  std::string text;
  for (const fs::path& path : files) {
    if (path.extension() == ending) continue;
    const fs::path run = path.parent_path();
    const auto about = [&] {
      const Json config = read_config(read_file(path), path.string());
      return fmt::format("{}, {}, {} steps of {} images", config.value("dataset", "?"),
                         config.value("process", "?"), config.value("steps", Index{0}),
                         config.value("batch", Index{0}));
    };
    text += fmt::format("{}  {}\n", run.string(), said(about));
    for (const fs::path& file : files)
      if (file.parent_path() == run && file.extension() == ending)
        text += fmt::format("  {:<34}{}\n", file.filename().string(), said([&] {
                              read_safetensors(file);
                              return "whole";
                            }));
  }
  return text.empty() ? fmt::format("{}: no runs of dale train or tune\n", folder.string()) : text;
}

}  // namespace dale
