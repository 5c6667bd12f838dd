#include "experiments/compare/report.h"

#include "diffusion/process.h"
#include "experiments/page/figure.h"
#include "experiments/page/page.h"
#include "tensor/file.h"

namespace dale {
namespace {

std::string with_error(const Spread& v, int digits) {
  return v.deviation > 0 ? fmt::format("{:.{}f} ± {:.{}f}", v.mean, digits, v.deviation, digits)
                         : fmt::format("{:.{}f}", v.mean, digits);
}
std::string frechet(const CompareRow& row) { return with_error(spread(row, &Evaluation::frechet), 1); }

bool multiplies(const CompareRow& row) { return process_named(row.process).multiplicative(); }

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

/// The multiplicative row of the least Fréchet distance at the largest count, or null.
const CompareRow* best_multiplicative(const CompareSet& set) {
  const CompareRow* best = nullptr;
  for (const CompareRow& row : set.rows) {
    if (!multiplies(row) || row.by_seed.empty()) continue;
    const auto rank = [](const CompareRow& r) { return spread(r, &Evaluation::frechet).mean; };
    if (!best || row.count > best->count || (row.count == best->count && rank(row) < rank(*best)))
      best = &row;
  }
  return best;
}

// ---- The answer: three sentences

std::string against_additive(const std::vector<CompareSet>& sets) {
  std::vector<std::string> found;
  for (const CompareSet& set : sets)
    for (const CompareRow& row : set.rows) {
      if (row.process != "gbm" || row.sampler != "probability-flow" || row.budget != 20) continue;
      const CompareRow* other = find_row(set, "ve", row.sampler, 20, row.count);
      if (!other || row.by_seed.empty()) continue;
      const double ratio = spread(row, &Evaluation::frechet).mean / spread(*other, &Evaluation::frechet).mean;
      found.push_back(fmt::format("{} where ve reaches {} on {} (ratio {:.2f})", frechet(row),
                                  frechet(*other), set.name, ratio));
      break;  // the row of the most samples comes first
    }
  if (found.empty()) return "The multiplicative and the additive model were not compared at 20 evaluations.";
  return fmt::format(
      "With at most 20 network evaluations of the probability flow, multiplicative gbm reaches a Fréchet "
      "distance of {}.",
      joined(found));
}

std::string against_paper(const std::vector<CompareSet>& sets) {
  std::vector<std::string> found;
  for (const CompareSet& set : sets)
    for (const CompareRow& row : set.rows) {
      if (row.process != "gbm-paper" || row.sampler != "dale-langevin") continue;
      const CompareRow* gbm = find_row(set, "gbm", "probability-flow", 20, row.count);
      const CompareRow* ve = find_row(set, "ve", "probability-flow", 20, row.count);
      std::string what =
          row.failure.empty() ? fmt::format("stands at {}", frechet(row)) : "left the finite numbers";
      what += " on " + set.name;
      if (gbm && ve)
        what += fmt::format(", where gbm stands at {} and ve at {} after {} evaluations", frechet(*gbm),
                            frechet(*ve), gbm->evaluations);
      found.push_back(what);
      break;
    }
  if (found.empty()) return "The paper's own setting was not sampled.";
  return fmt::format(
      "The paper's own setting, trained with the same budget and sampled by its own sampler, {}.",
      joined(found));
}

std::string judged(const std::vector<CompareSet>& sets) {
  std::vector<std::string> found;
  for (const CompareSet& set : sets)
    if (const CompareRow* best = best_multiplicative(set))
      found.push_back(
          fmt::format("{:.3f} and {:.3f} on {} ({}, {} evaluations; real images {:.3f} and {:.3f})",
                      spread(*best, &Evaluation::confidence).mean, spread(*best, &Evaluation::entropy).mean,
                      set.name, best->sampler, best->evaluations, best->by_seed[0].confidence.floor,
                      best->by_seed[0].entropy.floor));
  return "The best multiplicative samples are given mean confidence and class entropy (1 is uniform) of " +
         joined(found) + ".";
}

// ---- Plots

std::string quality(const CompareSet& set, bool against_seconds) {
  std::vector<Series> series;
  double floor = 0;
  Index count = 0;
  for (const CompareRow& row : set.rows) count = std::max(count, row.count);
  for (const CompareRow& row : set.rows) {
    if (row.by_seed.empty() || row.count != count) continue;
    const std::string name = row.process + ", " + row.sampler;
    if (series.empty() || series.back().name != name) series.push_back({name, {}, {}, Mark::marked_line, {}});
    const Spread v = spread(row, &Evaluation::frechet);
    series.back().x.push_back(against_seconds ? 1000 * row.seconds / static_cast<double>(count)
                                              : static_cast<double>(row.evaluations));
    series.back().y.push_back(v.mean);
    series.back().error.push_back(v.deviation);
    floor = row.by_seed[0].frechet.floor;
  }
  const std::string x = against_seconds ? "milliseconds an image" : "network evaluations an image";
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
    Series s{model.process, {}, model.loss};
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
      const std::size_t tail = std::max<std::size_t>(1, loss.size() / 10);
      double mean = 0;
      for (std::size_t i = loss.size() - tail; i < loss.size(); ++i)
        mean += loss[i] / static_cast<double>(tail);
      rows.push_back({set.name, m.process, std::to_string(loss.size()), fmt::format("{:.0f}", m.seconds),
                      fmt::format("{:.0f}", m.images_per_second), fmt::format("{:.4f}", mean)});
    }
  return html_table({"data", "process", "steps", "training, s", "images/s", "loss, last tenth"}, rows, 2);
}

std::string full_table(const CompareSet& set) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareRow& row : set.rows) {
    std::vector<std::string> cells{row.process, row.sampler + (row.annealed ? ", annealed" : ""),
                                   std::to_string(row.evaluations)};
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
      cells.push_back(fmt::format("{} ({:.{}f})", with_error(spread(row, m), digits), (e.*m).floor, digits));
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
       "coverage", "class entropy", "confidence", "neighbours: pixels, features", "ms an image"},
      rows, 2);
}

std::string signs(const std::vector<CompareSet>& sets) {
  std::vector<std::vector<std::string>> rows;
  for (const CompareSet& set : sets)
    for (const CompareRow& row : set.rows) {
      if (row.by_seed.empty() || !multiplies(row) || (row.sign_changes < 0 && row.sampler != "dale-langevin"))
        continue;
      const Index pixels = row.count * 784;
      rows.push_back({set.name, row.process, row.sampler, std::to_string(row.evaluations),
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
  std::string html =
      fmt::format("<h2>{}</h2>\n<p>{} training images, {} kept back from models and classifier alike",
                  set.name, set.train_images, set.test_images);
  html += set.note.empty() ? ".</p>\n" : fmt::format(" ({}).</p>\n", escape_html(set.note));
  html += "<div class='side'>\n" + quality(set, false) + quality(set, true) + "</div>\n" + set.pictures +
          training_curves(set);
  return html + fmt::format(
                    "<h3>All numbers</h3>\n<p>Mean ± standard deviation over seeds; in brackets the floor, "
                    "what as many training images give in the samples' place (for neighbours: what images "
                    "give that were never trained on). Fréchet distance and KID are taken to {} real images, "
                    "density and coverage (k = 5) to as many as samples. Classifier: {}.</p>\n{}",
                    set.test_images, escape_html(set.classifier), full_table(set));
}

std::string made_by(const Comparison& c) {
  const Profile& profile = profile_named(c.profile);
  std::string html = "<h2>How this was made</h2>\n<p><code>dale compare";
  for (const std::string& name : c.asked) html += " --dataset " + escape_html(name);
  html += fmt::format(
      " --profile {} --seed {}</code>: width {}, {} steps of {} images a model ({}). Each folder beside this "
      "page holds config.json, metrics.csv and model.safetensors, and for each sampler what its samples were "
      "worth, the first of them as samples.npy and grid.png; <code>dale report</code> makes this page of "
      "these "
      "files.</p>\n<pre>{}</pre>\n",
      c.profile, c.seed, profile.channels, profile.steps, profile.batch, escape_html(profile.cost),
      escape_html(c.build));
  html += "<h2>Data sets</h2>\n<ul>\n";
  for (const CompareSet& set : c.sets) html += fmt::format("<li>{}</li>\n", licence(set.name));
  for (const std::string& name : c.missing)
    html += fmt::format("<li>Not compared: {}, which was not found.</li>\n", name);
  return html + "</ul>\n";
}

}  // namespace

std::string report_html(const Comparison& c) {
  std::string html =
      "<p><b>The question.</b> Given the same network, training budget, seed and number of network "
      "evaluations: how do samplers that <em>multiply</em> by noise compare with samplers that <em>add</em> "
      "it?</p>\n";
  html += fmt::format("<div class='answer'><p>{}</p><p>{}</p><p>{}</p></div>\n",
                      escape_html(against_additive(c.sets)), escape_html(against_paper(c.sets)),
                      escape_html(judged(c.sets)));
  html +=
      "<p><b>gbm</b> multiplies each pixel (geometric Brownian motion, noise added to the logarithm), "
      "<b>ve</b> adds to it; they differ in nothing else. <b>gbm-paper</b> is the setting of “Dale meets "
      "Langevin” (arXiv 2510.02730): another loss, σ = 0.8, and samplers that follow the process in time. "
      "<b>vp</b> is the classical additive process. The Fréchet distance is that of normal distributions "
      "fitted to 64 features of a small classifier trained by this project, one a data set, because the "
      "Inception network was made for colour photographs: distances here compare with each other and with "
      "their floors, not with published FIDs.</p>\n";
  for (const CompareSet& set : c.sets) html += section(set);
  html += signs(c.sets) + "<h2>Training</h2>\n" + models_table(c.sets);
  if (!c.studies.empty()) html += "<h2>Small experiments with known answers</h2>\n" + c.studies;
  return page("Multiplying against adding", html + made_by(c));
}

std::filesystem::path write_report(const std::filesystem::path& out) {
  write_file(out / "report.html", report_html(read_comparison(out)));
  return out / "report.html";
}

}  // namespace dale
