// The pictures of the comparison's report: what numbers do not show. Read first: compare.h.
#include <cmath>

#include "experiments/compare/compare.h"
#include "experiments/page/figure.h"
#include "experiments/page/page.h"
#include "experiments/studies/study.h"
#include "tensor/image.h"
#include "tensor/npy.h"

namespace dale {
namespace {

namespace fs = std::filesystem;

const char* const class_names[][10] = {
    {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"},
    {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
    {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}};

std::string class_name(const std::string& dataset, int c) {
  return class_names[dataset == "fashion-mnist" ? 0 : dataset == "kmnist" ? 2 : 1][c];
}

Tensor first_images(const Tensor& images, Index n) {
  return images.slice(0, 0, std::min(n, images.dim(0))).packed();
}

/// Of each process the row whose pictures are shown: the probability flow nearest to 20 evaluations, or the
/// paper's own sampler.
std::vector<const CompareRow*> shown_rows(const CompareSet& set) {
  std::vector<const CompareRow*> shown;
  for (const CompareModel& model : set.models) {
    const CompareRow* best = nullptr;
    const std::string sampler = model.process == "gbm-paper" ? "dale-langevin" : "probability-flow";
    for (const CompareRow& row : set.rows)
      if (row.process == model.process && row.options.sampler == sampler && row.failure.empty() &&
          (!best || std::abs(row.budget - 20) < std::abs(best->budget - 20)))
        best = &row;
    if (best) shown.push_back(best);
  }
  return shown;
}

std::string title_of(const CompareRow& row) {
  return fmt::format("{} · {}{}, {} network evaluations", row.process, row.options.sampler,
                     row.options.annealed ? " with the paper's constants" : "", row.evaluations);
}

std::string grids(const std::vector<const CompareRow*>& rows) {
  std::string html = "<h3>The same noise through each model</h3>\n<div class='side'>\n";
  for (const CompareRow* row : rows)
    html += captioned(picture(image_grid(first_images(read_npy(row->samples), 48), 8, 2, 2),
                              "Grid of samples: " + title_of(*row)),
                      title_of(*row));
  return html + "</div>\n";
}

/// log x, x = 1 + pixel, of the test images and of each process: bars, and the normal fitted to it.
std::string histograms(const std::vector<const CompareRow*>& rows, const Tensor& test) {
  std::vector<Series> series, fits;
  std::string text;
  const auto add = [&](const std::string& name, const Tensor& images) {
    std::vector<double> logs;
    for (real v : images.to_vector()) logs.push_back(scalar::log1p(static_cast<double>(v)));
    const NormalFit fit = fit_normal(logs);
    Series line{"", {}, {}};
    line.pen = static_cast<int>(series.size());
    for (double l = -0.02; l <= 0.72; l += 0.01) {
      line.x.push_back(l);
      line.y.push_back(fit.density(l));
    }
    series.push_back(histogram(name, logs, -0.02, 0.72, 37));
    fits.push_back(line);
    text += fmt::format("{}{}: mean {:.3f}, deviation {:.3f}, distance {:.3f}", text.empty() ? "" : "; ",
                        name, fit.mean, fit.deviation, fit.distance);
  };
  add("test images", first_images(test, 1000));
  for (const CompareRow* row : rows) add(row->process, read_npy(row->samples));
  series.insert(series.end(), fits.begin(), fits.end());
  return "<h3>Pixels</h3>\n" +
         captioned(
             plot({"Pixels as the models see them: log x, x = 1 + pixel", "log x", "density", true}, series),
             "A log-normal distribution of x is a normal one of log x: the curve fitted to each. " + text +
                 " (distance: Kolmogorov and Smirnov's, between the pixels and the fit). Real pixels pile up "
                 "at black and white, so no log-normal fits them; what it fits is the noise.");
}

/// What the network is asked on the way from noise to the first images, as pictures: a row an image.
std::string film_strip(Model& model, const CompareRow& row) {
  constexpr Index images = 4, frames = 9;
  std::vector<std::pair<double, Tensor>> seen;
  SampleOptions s = row.options;
  s.count = images;
  s.watch = [&](const Var& y, double level) {
    if (seen.empty() || level < seen.back().first)
      seen.emplace_back(level, pixels_of(model.process->unchart(y)).value().to(Device::cpu));
  };
  const SampleResult end = sample(model, s);
  Vars columns;
  std::string levels;
  for (Index f = 0; f + 1 < frames; ++f) {
    const auto& [level, pixels] =
        seen[static_cast<std::size_t>(f * (static_cast<Index>(seen.size()) - 1) / (frames - 2))];
    columns.push_back(pixels);
    levels += fmt::format("{}{:.2g}", f ? ", " : "", level);
  }
  columns.push_back(end.images);
  const Tensor strip =
      stack(columns, 1).value().packed().reshape({images * frames, 1, model.height, model.width});
  return captioned(
      picture(image_grid(strip, frames, 2, 2), "Film strip from noise to samples: " + title_of(row)),
      fmt::format("{}; noise levels s = {}, then the samples", title_of(row), levels));
}

std::string neighbours(const CompareRow& row, const Reference& reference) {
  constexpr Index images = 10;
  const Tensor samples = first_images(read_npy(row.samples), images), all = reference.train().images;
  Vars rows{samples};
  for (bool features : {false, true}) {
    std::vector<std::int32_t> index;
    for (Index i : reference.nearest_in_training(samples, features).index)
      index.push_back(static_cast<std::int32_t>(i));
    rows.push_back(raw::gather(all, IntTensor({static_cast<Index>(index.size())}, index)));
  }
  return captioned(picture(image_grid(concat(rows, 0).value(), samples.dim(0), 2, 2),
                           "Samples above their nearest training images in pixels and in features"),
                   fmt::format("{}: samples; below each the nearest of {} training images in pixels, and in "
                               "the classifier's features",
                               title_of(row), all.dim(0)));
}

/// Two masks, 1 where known: the upper half, and all but a square.
Tensor mask(bool half, Index H, Index W) {
  Tensor m({1, H, W});
  for (Index i = 0; i < H; ++i)
    for (Index j = 0; j < W; ++j) {
      const bool square = i >= H / 4 && i < H - H / 4 && j >= W / 4 && j < W - W / 4;
      m.data()[i * W + j] = half ? i < H / 2 : !square;
    }
  return m;
}

/// A test image, what is known of it (the rest grey), and completions.
std::string completed(Model& model, const Tensor& test, const std::string& process, Device device) {
  constexpr Index completions = 6;
  Vars rows;
  for (Index k = 0; k < 4; ++k) {
    SampleOptions s;
    s.count = completions;
    s.device = device;
    s.seed = static_cast<std::uint64_t>(k);
    s.known = test.slice(0, k, k + 1).packed().reshape({1, model.height, model.width});
    s.mask = mask(k % 2 == 0, model.height, model.width);
    const Shape one{1, 1, model.height, model.width};
    rows.push_back(reshape(Var(s.known), one));
    rows.push_back(reshape(where(s.mask, s.known, Var(Tensor::full({}, 0.5))), one));
    rows.push_back(sample(model, s).images);
  }
  return captioned(
      picture(image_grid(concat(rows, 0).value(), completions + 2, 2, 2),
              "Test images, what is known of them, and completions by " + process),
      process + ": a test image, what is known of it, six completions (20 steps of the probability flow)");
}

std::string guidance(Model& model, const std::string& dataset, const fs::path& path, Device device) {
  std::string html =
      "<h3>Classes, with more and more guidance</h3>\n<p>A multiplicative model trained with labels "
      "(<code>dale train --classes</code>) and sampled by <code>dale sample --classes … --guidance w</code>: "
      "scores in the logarithmic chart are combined as they are in the additive one. Trained for less than "
      "the models compared.</p>\n<div class='side'>\n";
  std::string names;
  SampleOptions s;
  s.device = device;
  for (std::int32_t c = 0; c < model.network.shape.classes; ++c) {
    s.classes.push_back(c);
    names += (c ? ", " : "") + class_name(dataset, c);
  }
  s.count = 4 * model.network.shape.classes;
  for (double w : {0.0, 1.0, 3.0}) {
    s.guidance = w;
    const Tensor images = sample(model, s).images;
    html +=
        captioned(picture(image_grid(images, model.network.shape.classes, 2, 2),
                          fmt::format("Samples by class with guidance {}", w)),
                  fmt::format("w = {}{}; columns: {}", w, w == 0 ? ", which ignores the class" : "", names));
  }
  return html + fmt::format("</div>\n<p>{} steps of training.</p>\n", load_model(path).notes.at("steps"));
}

}  // namespace

std::string pictures_html(const CompareSet& set, const Reference& reference, const CompareOptions& o,
                          const fs::path& guided) {
  const std::vector<const CompareRow*> rows = shown_rows(set);
  std::string html = grids(rows) + histograms(rows, reference.test().images);
  std::string strips = "<h3>From noise back to data</h3>\n<div class='side'>\n", parts;
  for (const CompareRow* row : rows) {
    Model model = load_model(o.out / set.name / row->process / "model.safetensors");
    strips += film_strip(model, *row);
    if (row->process == "gbm" || row->process == "ve")
      parts += completed(model, reference.test().images, row->process, o.device);
  }
  html += strips +
          "</div>\n<h3>The missing part</h3>\n<p><code>dale sample --inpaint IMAGE --mask MASK</code>: where "
          "the picture is known the network's estimate is replaced by it, in the model's chart.</p>\n<div "
          "class='side'>\n" +
          parts + "</div>\n";
  html += "<h3>Nearest training images</h3>\n<div class='side'>\n";
  for (const CompareRow* row : rows)
    if (row->process == "gbm" || row->process == "ve") html += neighbours(*row, reference);
  html += "</div>\n";
  if (guided.empty()) return html;
  Model model = load_model(guided);
  return html + guidance(model, set.name, guided, o.device);
}

}  // namespace dale
