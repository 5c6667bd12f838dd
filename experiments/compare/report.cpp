#include "experiments/compare/report.h"

#include <fmt/format.h>

#include <cmath>

#include "experiments/page/figure.h"
#include "experiments/page/page.h"
#include "tensor/file.h"

namespace dale {
namespace {

using namespace fmt::literals;

constexpr const char* page_text =
#include "experiments/compare/report_page.in"
    ;
constexpr const char* set_text =
#include "experiments/compare/report_set.in"
    ;

// ---- Plots

std::string quality(const CompareSet& set, bool against_seconds) {
  std::vector<Series> series;
  double floor = 0;
  Index count = 0;
  for (const CompareRow& row : set.rows) count = std::max(count, row.count);
  for (const CompareRow& row : set.rows) {
    if (row.by_seed.empty() || row.count != count) continue;
    const std::string name = row.process + ", " + row.sampler_and_grid();
    if (series.empty() || series.back().name != name) series.push_back({name, {}, {}, Mark::marked_line, {}});
    const Spread v = spread(row, &Evaluation::frechet);
    series.back().add(against_seconds ? 1000 * row.seconds / static_cast<double>(count)
                                      : static_cast<double>(row.evaluations),
                      v.mean);
    series.back().error.push_back(v.deviation);
    floor = row.by_seed[0].frechet.floor;
  }
  const std::string x = against_seconds ? "milliseconds per image" : "network evaluations per image";
  return captioned(plot({fmt::format("{}: Fréchet distance against {}", set.name,
                                     against_seconds ? "time" : "evaluations"),
                         x, "Fréchet distance", true, true},
                        series),
                   fmt::format("n = {} samples a seed; bars are standard deviations over seeds (without one: "
                               "a single seed). As many "
                               "training images stand at {:.1f}, the floor.",
                               count, floor));
}

std::string training_curves(const CompareSet& set) {
  std::vector<Series> series;
  for (const CompareModel& model : set.models) {
    Series s{model.name, {}, model.loss};
    for (std::size_t i = 0; i < s.y.size(); ++i) s.x.push_back(static_cast<double>(i + 1));
    series.push_back(
        smoothed(s, std::max<std::size_t>(1, s.y.size() / 30), std::max<std::size_t>(1, s.y.size() / 300)));
  }
  return captioned(
      plot({set.name + ": training loss, running mean", "step", "loss", true}, series),
      "Each process has a loss of its own scale: curves tell that training went on, not which is better.");
}

// ---- Tables

std::string models_table(const std::vector<CompareSet>& sets) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareSet& set : sets)
    for (const CompareModel& m : set.models) {
      const auto& loss = m.loss;
      if (loss.empty()) {  // every row of metrics.csv was lost
        rows.push_back({set.name, m.name, "–", "–", "–", "–"});
        continue;
      }
      const Index tail = std::max<Index>(1, std::ssize(loss) / 10);
      const double mean = spread({loss.end() - tail, loss.end()}).mean;
      rows.push_back({set.name, m.name, std::to_string(loss.size()), fmt::format("{:.0f}", m.seconds),
                      fmt::format("{:.0f}", m.images_per_second), fmt::format("{:.4f}", mean)});
    }
  return html_table({"data", "model", "steps", "training, s", "images/s", "loss, last tenth"}, rows, 2);
}

std::string full_table(const CompareSet& set) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareRow& row : set.rows) {
    std::vector<std::string> cells{row.process, row.sampler_and_grid(), std::to_string(row.evaluations)};
    if (row.by_seed.empty()) {
      cells.insert(cells.end(), {"0", std::to_string(row.count), "failed: " + row.failure});
      cells.resize(14, "–");
      rows.push_back(cells);
      continue;
    }
    const Evaluation& e = row.by_seed[0];
    cells.insert(cells.end(), {std::to_string(row.by_seed.size()), std::to_string(row.count), frechet(row),
                               fmt::format("{:.1f}", e.frechet.floor)});
    const auto add = [&](Measure Evaluation::*m, int digits) {
      cells.push_back(fmt::format("{} ({:.{}f})", str(spread(row, m), digits), (e.*m).floor, digits));
    };
    add(&Evaluation::kernel, 2);
    add(&Evaluation::density, 2);
    add(&Evaluation::coverage, 2);
    add(&Evaluation::entropy, 3);
    add(&Evaluation::confidence, 2);
    cells.push_back(fmt::format("{:.2f}, {:.2f} ({:.2f}, {:.2f})",
                                spread(row, &Evaluation::pixel_neighbour).mean,
                                spread(row, &Evaluation::feature_neighbour).mean, e.pixel_neighbour.floor,
                                e.feature_neighbour.floor));
    cells.push_back(fmt::format("{:.2f}", 1000 * row.seconds / static_cast<double>(row.count)));
    rows.push_back(cells);
  }
  return html_table(
      {"process", "sampler", "evaluations", "seeds", "n", "Fréchet", "its floor", "KID", "density",
       "coverage", "class entropy", "confidence", "neighbours: pixels, features", "ms per image"},
      rows, 2);
}

/// gbm by ve wherever both were sampled alike with several seeds: no claim goes beyond these errors.
std::string ratios(const CompareSet& set) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareRow& gbm : set.rows) {
    if (gbm.process != "gbm" || gbm.by_seed.size() < 2) continue;
    if (const CompareRow* ve = find_row(set, "ve", gbm.sampler, gbm.budget, gbm.count, gbm.grid))
      rows.push_back({gbm.sampler_and_grid(), std::to_string(gbm.evaluations), std::to_string(gbm.count),
                      frechet(gbm), frechet(*ve), str(ratio(gbm, *ve), 2)});
  }
  return rows.empty() ? ""
                      : "<h3>Multiplicative by additive</h3>\n" +
                            html_table({"sampler", "evaluations", "n", "gbm", "ve", "gbm / ve"}, rows, 1);
}

std::string signs(const std::vector<CompareSet>& sets) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareSet& set : sets)
    for (const CompareRow& row : set.rows) {
      if (row.by_seed.empty() || !multiplies(row) || (row.sign_changes < 0 && row.sampler != "dale-langevin"))
        continue;
      const Index pixels = row.count * 784;
      rows.push_back({set.name, row.process, row.sampler_and_grid(), std::to_string(row.evaluations),
                      std::to_string(pixels),
                      row.sign_changes < 0 ? "0, by construction" : std::to_string(row.sign_changes)});
    }
  if (rows.empty()) return "";
  return "<h2>Signs</h2>\n<p>Dale–Langevin multiplies each pixel by an exponential, so that no sign can "
         "change; the unconstrained sampler multiplies by a number that may be negative.</p>\n" +
         html_table({"data", "process", "sampler", "evaluations", "pixels sampled", "sign changes"}, rows, 3);
}

std::string licence(const std::string& dataset) {
  if (dataset == "mnist") return "MNIST: Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0.";
  if (dataset == "kmnist")
    return "Kuzushiji-MNIST: ROIS-DS Center for Open Data in the Humanities, CC BY-SA 4.0.";
  return "Fashion-MNIST: Zalando SE, MIT licence.";
}

std::string section(const CompareSet& set) {
  return fmt::format(
      fmt::runtime(set_text), "name"_a = set.name, "train"_a = set.train_images, "test"_a = set.test_images,
      "note"_a = set.note.empty() ? "" : " (" + escape_html(set.note) + ")",
      "evaluations"_a = quality(set, false), "time"_a = quality(set, true), "pictures"_a = set.pictures,
      "training"_a = training_curves(set), "classifier"_a = escape_html(set.classifier),
      "ratios"_a = ratios(set), "table"_a = full_table(set));
}

constexpr const char* try_page = "<p><a href='dale.html'>Try the samplers here, in your browser.</a></p>\n";

/// What a comparison in progress has still to make.
std::string progress(const Comparison& c) {
  if (c.finished) return answer(c.sets);
  return fmt::format(
      "<p>In progress. Still to come of the data sets below: {} models and {} sets of samples, some {:.0f} "
      "minutes at "
      "the pace so far; then pictures, the small experiments and the answer. The page is renewed after each "
      "set of samples.</p>\n",
      c.models_to_come, c.samples_to_come, std::ceil(c.seconds_to_come / 60));
}

}  // namespace

std::string report_html(const Comparison& c) {
  const Profile& profile = profile_named(c.profile);
  std::string sets, licences,
      command =
          fmt::format("--profile {} --seed {} --training-seeds {}", c.profile, c.seed, c.training_seeds);
  for (const CompareSet& set : c.sets) {
    sets += section(set);
    licences += fmt::format("<li>{}</li>\n", licence(published_name(set.name)));
  }
  for (const std::string& name : c.missing)
    licences += fmt::format("<li>Not compared: {}, which was not found.</li>\n", name);
  for (const std::string& name : c.asked) command += " --dataset " + escape_html(name);
  const std::string studies =
      c.studies.empty() ? "" : "<h2>Small experiments with known answers</h2>\n" + c.studies;
  return page("Multiplying against adding",
              fmt::format(fmt::runtime(page_text), "answer"_a = progress(c), "sets"_a = sets,
                          "try"_a = c.has_page ? try_page : "", "signs"_a = signs(c.sets),
                          "models"_a = models_table(c.sets), "studies"_a = studies, "command"_a = command,
                          "width"_a = profile.training.channels, "steps"_a = profile.training.steps,
                          "batch"_a = profile.training.batch, "seeds"_a = c.training_seeds,
                          "cost"_a = escape_html(profile.cost), "build"_a = escape_html(c.build),
                          "licences"_a = licences));
}

std::filesystem::path write_report(const std::filesystem::path& out) {
  write_file(out / "report.html", report_html(read_comparison(out)));
  return out / "report.html";
}

}  // namespace dale
