#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/compare/report.h"
#include "experiments/page/page.h"
#include "experiments/pictures/image.h"
#include "experiments/run/folder.h"
#include "experiments/studies/study.h"
#include "tensor/file.h"
#include "tensor/npy.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// f of a file's JSON; complains with its path of what is not there or is something else.
template <class F> auto from_json(const fs::path& path, const F& f) {
  const std::string text = read_file(path);
  try {
    return f(Json::parse(text));
  } catch (const Json::exception& error) {
    failed("{}: not what dale compare leaves ({}); give the command again", path.string(), error.what());
  }
}

CompareModel read_model(const fs::path& folder) {
  CompareModel model{folder.filename().string(), {}, 0, 0};
  const double batch =
      from_json(folder / "config.json", [](const Json& j) { return j.at("batch").get<double>(); });
  for (const MetricsRow& row : read_metrics(folder)) {
    if (std::isnan(row.loss)) continue;
    model.loss.push_back(row.loss);
    model.seconds += batch / row.images_per_second;
  }
  model.images_per_second = static_cast<double>(model.loss.size()) * batch / model.seconds;
  return model;
}

/// Of a comparison in progress the seeds up to the first that is not there.
CompareRow read_row(const fs::path& set, const Plan& plan, int budget, int training_seeds, bool finished) {
  CompareRow row{plan.process, plan.sampler, budget, plan.count, plan.grid};
  if (plan.seeds == 1) training_seeds = 1;
  const int seeds = training_seeds * plan.seeds;
  for (int n = 0; n < seeds && row.failure.empty(); ++n) {
    const fs::path file =
        set / plan.folder(budget, n / plan.seeds) / fmt::format("seed-{}.json", n % plan.seeds);
    if (!finished && !fs::exists(file)) {
      row.to_come = seeds - n;
      break;
    }
    from_json(file, [&](const Json& json) {
      row.failure = json.value("failure", "");
      if (!row.failure.empty()) return;
      row.by_seed.push_back(evaluation_from(json.at("evaluation"), file));
      row.evaluations = json.at("evaluations");
      row.sign_changes = json.at("sign_changes");
      row.seconds += json.at("seconds").get<double>();
    });
  }
  row.seconds /= std::max<double>(1, static_cast<double>(row.by_seed.size()));
  if (!row.failure.empty()) row.by_seed.clear();
  return row;
}

/// The figures of pictures.json, in their own bytes.
std::string read_pictures(const fs::path& folder) {
  return from_json(folder / "pictures.json", [&](const Json& json) {
    std::string html;
    for (const Json& section : json.at("sections")) {
      html += fmt::format("<h3>{}</h3>\n", escape_html(section.at("heading")));
      const std::string text = section.at("text");
      if (!text.empty()) html += "<p>" + text + "</p>\n";
      html += "<div class='side'>\n";
      for (const Json& figure : section.at("figures")) {
        const std::string file = figure.at("file"), caption = figure.at("caption");
        html +=
            captioned(file.ends_with(".png") ? picture(read_image(folder / file, 1), figure.at("alternative"))
                      : file.ends_with(".svg") ? read_file(folder / file)
                                               : "",
                      caption);
      }
      html += "</div>\n";
    }
    return html;
  });
}

/// The first samples of the rows that are there, while the pictures proper are not drawn.
std::string read_grids(const fs::path& set, const Profile& profile) {
  std::string html = "<div class='side'>\n";
  for (const Plan& plan : profile.plans)
    for (int budget : plan.budgets)
      if (const fs::path file = set / plan.folder(budget) / "seed-0" / "samples.npy"; fs::exists(file)) {
        const std::string title =
            fmt::format("{}, {}, at most {} evaluations", plan.process, plan.sampler, budget);
        html += captioned(picture(image_grid(first_images(read_npy(file), 48), 8, 2, 2), title), title);
      }
  return html + "</div>\n";
}

/// What a set has, and what the comparison in progress is still to make of it.
CompareSet read_set(const fs::path& out, const Json& about, const Profile& profile, Comparison& all) {
  CompareSet set{about.at("name"), about.at("note"), about.at("classifier"), about.at("train_images"),
                 about.at("test_images")};
  const fs::path folder = out / set.name;
  int models_to_come = 0, samples_to_come = 0;
  for (int t = 0; t < all.training_seeds; ++t)
    for (const ComparedModel& model : profile.models(t))
      if (all.finished || fs::exists(folder / model.name() / "model.safetensors"))
        set.models.push_back(read_model(folder / model.name()));
      else
        ++models_to_come;
  double training = 0, sampling = 0;
  for (const CompareModel& model : set.models)
    training += model.seconds / static_cast<double>(set.models.size());
  for (const Plan& plan : profile.plans)
    for (int budget : plan.budgets) {
      CompareRow row = read_row(folder, plan, budget, all.training_seeds, all.finished);
      samples_to_come += row.to_come;
      if (!row.by_seed.empty() || !row.failure.empty()) set.rows.push_back(std::move(row));
    }
  for (const CompareRow& row : set.rows) sampling += row.seconds / static_cast<double>(set.rows.size());
  all.models_to_come += models_to_come;
  all.samples_to_come += samples_to_come;
  all.seconds_to_come += models_to_come * training + samples_to_come * sampling;
  const bool drawn = all.finished || fs::exists(folder / "pictures" / "pictures.json");
  set.pictures = drawn ? read_pictures(folder / "pictures") : read_grids(folder, profile);
  return set;
}

}  // namespace

Spread spread(const CompareRow& row, Measure Evaluation::*measure) {
  std::vector<double> values;
  for (const Evaluation& e : row.by_seed) values.push_back((e.*measure).value);
  return spread(values);
}

const CompareRow* find_row(const CompareSet& set, const std::string& process, const std::string& sampler,
                           int budget, Index count, const std::string& grid) {
  for (const CompareRow& row : set.rows)
    if (row.process == process && row.sampler == sampler && (!budget || row.budget == budget) &&
        (!count || row.count == count) && row.grid == grid && row.failure.empty())
      return &row;
  return nullptr;
}

Comparison read_comparison(const fs::path& out) {
  return from_json(out / "comparison.json", [&](const Json& json) {
    Comparison all{json.at("profile"),        json.at("build"), json.at("seed"),
                   json.at("training_seeds"), json.at("asked"), json.at("missing")};
    const Profile& profile = profile_named(all.profile);
    all.finished = json.value("finished", true);
    all.has_page = fs::exists(out / "dale.html");
    for (const Json& about : json.at("sets")) all.sets.push_back(read_set(out, about, profile, all));
    for (const Study& study : studies) {
      const fs::path section = study_folder(out, study.name, profile.quick_studies) / "section.html";
      if (fs::exists(section)) all.studies += read_file(section);
    }
    return all;
  });
}

}  // namespace dale
