#include "experiments/run/folder.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view header = "step,loss,gradient_norm,learning_rate,images_per_second\n";
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

/// The row of step `step` at the start of text, which is then what follows it. Throws unless it is whole.
MetricsRow take_row(std::string_view& text, Index step, const fs::path& path) {
  const std::size_t end = text.find('\n');
  if (end == text.npos)
    failed("{}: no row of step {}, which the checkpoint has behind it", path.string(), step);
  double values[5];
  const char *at = text.data(), *const line_end = at + end;
  bool whole = true;
  for (double& value : values) {
    const auto [last, error] = std::from_chars(at, line_end, value);
    whole = whole && error == std::errc() && (&value == &values[4] ? last == line_end : *last == ',');
    if (!whole) break;
    at = last + 1;
  }
  if (!whole || values[0] != static_cast<double>(step))
    failed("{}: line {} is no row of step {}; expected five numbers with commas between", path.string(),
           step + 1, step);
  text.remove_prefix(end + 1);
  return {values[1], values[2], values[3], values[4]};
}

std::string_view after_header(std::string_view text, const fs::path& path) {
  if (!text.starts_with(header))
    failed("{}: expected the first line {}", path.string(), header.substr(0, header.size() - 1));
  return text.substr(header.size());
}

}  // namespace

std::vector<MetricsRow> read_metrics(const fs::path& folder) {
  const fs::path path = folder / "metrics.csv";
  const std::string text = read_file(path);
  std::vector<MetricsRow> rows;
  for (std::string_view rest = after_header(text, path); !rest.empty();)
    rows.push_back(take_row(rest, static_cast<Index>(rows.size()) + 1, path));
  return rows;
}

Metrics::Metrics(const fs::path& folder, Index steps) {
  const fs::path path = folder / "metrics.csv";
  const std::string before = steps > 0 ? read_file(path) : std::string(header);
  std::string_view rest = after_header(before, path);
  for (Index step = 1; step <= steps; ++step) rows_.push_back(take_row(rest, step, path));
  write_file(path, std::string_view(before).substr(0, before.size() - rest.size()));
  file_.emplace(path);
}

void Metrics::append(const MetricsRow& row) {
  rows_.push_back(row);
  file_->append(fmt::format("{},{:.9g},{:.9g},{:.9g},{:.6g}\n", rows_.size(), row.loss, row.gradient_norm,
                            row.learning_rate, row.images_per_second));
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

}  // namespace dale
