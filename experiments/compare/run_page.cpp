#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/compare/report.h"
#include "experiments/page/page.h"
#include "experiments/pictures/image.h"
#include "experiments/run/folder.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

std::string curve(const std::string& title, const std::vector<MetricsRow>& rows, double MetricsRow::*number,
                  bool log_y, std::vector<Series> more = {}) {
  Series all{title, {}, {}};
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (const double v = rows[i].*number; std::isfinite(v)) all.add(static_cast<double>(i + 1), v);
  more.insert(more.begin(), smoothed(all, 50, 400));
  return captioned(plot({title, "step", "", log_y}, more), "");
}

}  // namespace

fs::path write_run_page(const fs::path& run) {
  const std::string config = read_file(run / "config.json");
  const nlohmann::ordered_json options = read_config(config, (run / "config.json").string());
  const std::vector<MetricsRow> rows = read_metrics(run);
  std::vector<Series> validation;
  for (const auto& [step, loss] : read_validation(run)) {
    if (validation.empty()) validation.push_back({"images kept back", {}, {}, Mark::marked_line});
    validation[0].add(static_cast<double>(step), loss);
  }
  std::string body =
      fmt::format("<p>{} of {} steps.</p>\n<div class='side'>{}{}{}{}</div>\n", rows.size(),
                  options.value("steps", Index{0}), curve("loss", rows, &MetricsRow::loss, true, validation),
                  curve("norm of the gradient", rows, &MetricsRow::gradient_norm, true),
                  curve("learning rate", rows, &MetricsRow::learning_rate, false),
                  curve("images per second", rows, &MetricsRow::images_per_second, false));
  std::vector<fs::path> grids;
  for (const auto& entry : fs::directory_iterator(run))
    if (entry.path().filename().string().starts_with("grid-")) grids.push_back(entry.path());
  std::sort(grids.begin(), grids.end());
  std::string samples;
  for (const fs::path& grid : grids) {
    const std::string step = grid.stem().string().substr(5);
    samples += captioned(picture(image_of(read_file(grid), grid).pixels, "samples after step " + step),
                         fmt::format("after {} steps", std::atol(step.c_str())));
  }
  if (!samples.empty()) body += "<h2>Samples</h2>\n<div class='side'>" + samples + "</div>\n";
  std::vector<std::vector<std::string>> cells;
  for (const auto& [key, value] : options.items())
    cells.push_back({key, value.is_string() ? value.get<std::string>() : value.dump()});
  body += "<h2>Options</h2>\n" + html_table({"option", "value"}, cells, 1);
  const fs::path path = run / "report.html";
  write_file(path, page("the run " + run.filename().string(), body));
  return path;
}

}  // namespace dale
