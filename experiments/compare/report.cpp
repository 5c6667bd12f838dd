#include "experiments/compare/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diffusion/process.h"
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

// ---- The answer: a sentence for each question, and in it what was found on each data set

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

std::string frechet(const CompareRow& row) { return str(spread(row, &Evaluation::frechet), 1); }
std::string frechet(const CompareRow* row) { return row ? frechet(*row) : "–"; }

/// Of the Fréchet distances of one row by those of another of the same seeds, seed by seed.
std::string ratio(const CompareRow& row, const CompareRow& by) {
  std::vector<double> values;
  for (std::size_t n = 0; n < std::min(row.by_seed.size(), by.by_seed.size()); ++n)
    values.push_back(row.by_seed[n].frechet.value / by.by_seed[n].frechet.value);
  return str(spread(values), 2);
}

std::string against_additive(const CompareSet& set) {
  const CompareRow* gbm = find_row(set, "gbm", "probability-flow", 20);
  const CompareRow* ve = gbm ? find_row(set, "ve", "probability-flow", 20, gbm->count) : nullptr;
  return ve ? fmt::format("{} where ve reaches {} (ratio {})", frechet(*gbm), frechet(*ve), ratio(*gbm, *ve))
            : "";
}

std::string by_one_multiplication(const CompareSet& set) {
  const CompareRow *one = find_row(set, "gbm", "consistency", 1),
                   *two = find_row(set, "gbm", "consistency", 2);
  return one && two ? fmt::format("{}, with two {}", frechet(*one), frechet(*two)) : "";
}

std::string against_paper(const CompareSet& set) {
  const auto paper = std::find_if(set.rows.begin(), set.rows.end(), [](const CompareRow& row) {
    return row.process == "gbm-paper" && row.grid == "annealed";
  });
  if (paper == set.rows.end()) return "";
  if (!paper->failure.empty()) return "left the finite numbers";
  return fmt::format("stands at {} (gbm and ve at {} and {} after at most 20)", frechet(*paper),
                     frechet(find_row(set, "gbm", "probability-flow", 20, paper->count)),
                     frechet(find_row(set, "ve", "probability-flow", 20, paper->count)));
}

std::string by_grid(const CompareSet& set) {
  const CompareRow* uniform = find_row(set, "gbm", "dale-langevin", 0, 0, "uniform");
  if (!uniform) return "";
  const auto other = [&](const char* sampler, int budget) {
    return frechet(find_row(set, "gbm", sampler, budget, uniform->count));
  };
  return fmt::format(
      "{} where the uniform one gives {}, probability flow with at most 40 {} and ancestral sampling {} "
      "(n = {})",
      other("dale-langevin", uniform->budget), frechet(*uniform), other("probability-flow", 40),
      other("ancestral", uniform->budget), uniform->count);
}

/// The sentence about what is found, if anything, on each data set: `before`, the findings, `after`.
struct Question {
  const char* before;
  std::string (*found)(const CompareSet&);
  const char* after = ".";
};
constexpr Question questions[] = {
    {"With at most 20 network evaluations of the probability flow, multiplicative gbm reaches a Fréchet "
     "distance of ",
     against_additive},
    {"With one multiplication of the noise it reaches ", by_one_multiplication},
    {"The paper's own setting, sampled by its own sampler, ", against_paper},
    {"Dale–Langevin on a grid of noise levels, with as many evaluations, gives a Fréchet distance of ",
     by_grid,
     ": the rule is the same, but the uniform grid starts where its prior is not the law of x_T, and its "
     "last "
     "step leaves noise."}};

std::string answer(const std::vector<CompareSet>& sets) {
  std::string paragraphs;
  for (const Question& q : questions) {
    std::vector<std::string> found;
    for (const CompareSet& set : sets)
      if (const std::string what = q.found(set); !what.empty())
        found.push_back(fmt::format("{} on {}", what, set.name));
    if (!found.empty()) paragraphs += "<p>" + escape_html(q.before + joined(found) + q.after) + "</p>";
  }
  return paragraphs;
}

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
                               "a single seed). As many training images stand at {:.1f}, the floor.",
                               count, floor));
}

std::string training_curves(const CompareSet& set) {
  std::vector<Series> series;
  for (const CompareModel& model : set.models) {
    Series s{model.name, {}, model.loss};
    for (std::size_t i = 0; i < s.y.size(); ++i) s.x.push_back(static_cast<double>(i + 1));
    series.push_back(smoothed(s, 30, 300));
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
    rows.push_back({row.process, row.sampler_and_grid(), std::to_string(row.evaluations),
                    std::to_string(row.by_seed.size()), std::to_string(row.count)});
    std::vector<std::string>& cells = rows.back();
    if (row.by_seed.empty()) {
      cells.push_back("failed: " + row.failure);
      cells.resize(14, "–");
      continue;
    }
    const Evaluation& e = row.by_seed[0];
    const auto with_floor = [&](Measure Evaluation::*m, int digits) {
      return fmt::format("{} ({:.{}f})", str(spread(row, m), digits), (e.*m).floor, digits);
    };
    cells.insert(
        cells.end(),
        {frechet(row), fmt::format("{:.1f}", e.frechet.floor), with_floor(&Evaluation::kernel, 2),
         with_floor(&Evaluation::density, 2), with_floor(&Evaluation::coverage, 2),
         with_floor(&Evaluation::entropy, 3), with_floor(&Evaluation::confidence, 2),
         fmt::format("{:.2f}, {:.2f} ({:.2f}, {:.2f})", spread(row, &Evaluation::pixel_neighbour).mean,
                     spread(row, &Evaluation::feature_neighbour).mean, e.pixel_neighbour.floor,
                     e.feature_neighbour.floor),
         fmt::format("{:.2f}", 1000 * row.seconds / static_cast<double>(row.count))});
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
                      frechet(gbm), frechet(*ve), ratio(gbm, *ve)});
  }
  return rows.empty() ? ""
                      : "<h3>Multiplicative by additive</h3>\n" +
                            html_table({"sampler", "evaluations", "n", "gbm", "ve", "gbm / ve"}, rows, 1);
}

std::string signs(const std::vector<CompareSet>& sets) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareSet& set : sets)
    for (const CompareRow& row : set.rows) {
      if (row.by_seed.empty() || !process_named(row.process).multiplicative() ||
          (row.sign_changes < 0 && row.sampler != "dale-langevin"))
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
