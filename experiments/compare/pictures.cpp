// The pictures of a comparison: what numbers do not show. They are left in OUT/DATASET/pictures as PNG and
// SVG, with pictures.json, which tells headings, captions and what they were made of. Read first: compare.h.
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/compare/compare.h"
#include "experiments/data/idx.h"
#include "experiments/info.h"
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

/// Pictures as the report finds them: files in a folder, and pictures.json, the list of them by sections.
class Album {
 public:
  explicit Album(fs::path folder) : folder_(std::move(folder)) { make_folder(folder_); }

  void section(const std::string& heading, const std::string& html = "") {
    sections_.push_back({{"heading", heading}, {"text", html}, {"figures", Json::array()}});
  }
  /// A file of these bytes; or, without a name, the caption alone.
  void add(const std::string& file, const std::string& bytes, const std::string& alternative,
           const std::string& caption) {
    if (!file.empty()) write_file(folder_ / file, bytes);
    sections_.back()["figures"].push_back(
        {{"file", file}, {"alternative", alternative}, {"caption", caption}});
  }
  /// Images (N,1,H,W), row by row in so many columns.
  void png(const std::string& name, const Tensor& images, Index columns, const std::string& alternative,
           const std::string& caption) {
    add(name + ".png", png_bytes(image_grid(images, columns, 2, 2)), alternative, caption);
  }
  /// draw(), or where a sampler leaves the finite numbers a sentence in the figure's place.
  template <class Draw> void attempt(const std::string& what, const Draw& draw) {
    try {
      draw();
    } catch (const NotFinite& error) { add("", "", "", what + " failed: " + error.what()); }
  }
  const Json& sections() const { return sections_; }

 private:
  fs::path folder_;
  Json sections_ = Json::array();
};

const std::map<std::string, std::vector<const char*>> class_names{
    {"fashion-mnist",
     {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"}},
    {"mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
    {"kmnist", {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}}};

/// What the pictures are of: the first samples of a plan, and the model that gave them.
struct Shown {
  const Plan& plan;
  SampleOptions options;
  fs::path model, samples;
  std::string title;

  bool tuned() const { return plan.sampler == "consistency"; }
};

/// Of each model the probability flow nearest to 20 evaluations, the paper's sampler, or one multiplication.
std::vector<Shown> shown_plans(const fs::path& set, const CompareOptions& o) {
  std::vector<Shown> shown;
  const Profile& profile = profile_named(o.profile);
  for (const ComparedModel& model : profile.models()) {
    const Plan* best = nullptr;
    int nearest = 0;
    const bool paper = model.process == "gbm-paper";
    const char* sampler = paper ? "dale-langevin" : model.tuned ? "consistency" : "probability-flow";
    const int wanted = model.tuned ? 1 : 20;
    for (const Plan& plan : profile.plans)
      for (int budget : plan.budgets)
        if (plan.model() == model && plan.sampler == sampler &&
            (!paper || plan.grid == "annealed" || o.profile == "smoke") &&
            (!best || std::abs(budget - wanted) < std::abs(nearest - wanted)))
          best = &plan, nearest = budget;
    if (!best) continue;
    const fs::path folder = set / best->folder(nearest);
    const Json json = Json::parse(read_file(folder / "seed-0.json"));
    if (json.contains("failure")) continue;
    const Index evaluations = json["evaluations"];
    shown.push_back({*best, sampling_of(*best, nearest, o), set / model.name() / "model.safetensors",
                     folder / "seed-0" / "samples.npy",
                     fmt::format("{} · {}{}, {} network evaluation{}", best->process, sampler,
                                 best->grid == "annealed" ? " with the paper's constants" : "", evaluations,
                                 evaluations == 1 ? "" : "s")});
  }
  return shown;
}

/// log x, x = 1 + pixel, of the test images and of each process: bars, and the normal fitted to it.
void draw_histograms(Album& album, const std::vector<Shown>& shown, const Tensor& test) {
  std::vector<Series> series, fits;
  std::string text;
  const auto add = [&](const std::string& name, const Tensor& images) {
    std::vector<double> logs;
    for (real v : images.to_vector()) logs.push_back(scalar::log1p(static_cast<double>(v)));
    text += (text.empty() ? "" : "; ") + name + ": ";
    const int pen = static_cast<int>(series.size());
    series.push_back(histogram(name, logs, -0.02, 0.72, 37));
    if (std::equal(logs.begin() + 1, logs.end(), logs.begin())) {
      text += "every pixel is the same, which no such distribution fits";
      return;
    }
    const NormalFit fit = fit_normal(logs);
    fits.push_back(line_of("", -0.02, 0.72, 0.01, [&](double l) { return fit.density(l); }));
    fits.back().pen = pen;
    text +=
        fmt::format("mean {:.3f}, deviation {:.3f}, distance {:.3f}", fit.mean, fit.deviation, fit.distance);
  };
  add("test images", first_images(test, 1000));
  for (const Shown& s : shown) add(s.plan.model().name(), read_npy(s.samples));
  series.insert(series.end(), fits.begin(), fits.end());
  album.section("Pixels");
  album.add(
      "pixels.svg",
      plot({"Pixels as the models see them: log x, x = 1 + pixel", "log x", "density", true}, series), "",
      "A log-normal distribution of x is a normal one of log x: the curve fitted to each. " + text +
          " (distance: Kolmogorov and Smirnov's, between the pixels and the fit). Real pixels pile up at "
          "black and white, so no log-normal fits them; what it fits is the noise.");
}

/// What the network is asked on the way from noise to the first images, as pictures: a row per image.
void draw_film_strip(Album& album, const Shown& shown) {
  constexpr Index images = 4, frames = 9;
  Model model = load_model(shown.model);
  std::vector<std::pair<double, Tensor>> seen;
  SampleOptions s = shown.options;
  s.count = images;
  s.watch = [&](const Var& y, double level) {
    if (seen.empty() || level < seen.back().first)
      seen.emplace_back(level, model.unchart(y).value().to(Device::cpu));
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
  album.png("strip-" + shown.plan.process, strip, frames, "Film strip from noise to samples: " + shown.title,
            fmt::format("{}; noise levels s = {}, then the samples", shown.title, levels));
}

/// Noise, the factor, and their product: X = X_T ∘ exp(D(log X_T; s_max) − log X_T) (IV.29).
void draw_one_multiplication(Album& album, const Shown& shown) {
  constexpr Index images = 8;
  Model model = load_model(shown.model);
  Tensor noise;
  double s_max = 0;
  SampleOptions s = shown.options;
  s.steps = 1;
  s.count = images;
  s.watch = [&](const Var& y, double level) {
    noise = y.value().to(Device::cpu);
    s_max = level;
  };
  const Var product = sample(model, s).images;
  const Var end = model.chart(product), y = noise;
  const auto grey = [&](const Var& logarithm) { return logarithm * (1 / (6 * s_max)) + 0.5; };
  album.section("One multiplication",
                "A model of <code>dale tune</code> makes a picture of noise by one "
                "positive factor for each pixel: X = X_T ∘ exp(D(log X_T; s_max) − log X_T).");
  album.png(
      "factor-" + shown.plan.process, concat({grey(y), grey(end - y), product}, 0).value(), images,
      "Noise, factors and their products by " + shown.title,
      fmt::format("Noise X_T, the factor, and their product. The first two rows show logarithms, black to "
                  "white from −{0:.3g} to {0:.3g}: nothing of the picture can be seen in either.",
                  3 * s_max));
}

void draw_neighbours(Album& album, const Shown& shown, const Reference& reference) {
  constexpr Index images = 10;
  const Tensor samples = first_images(read_npy(shown.samples), images), all = reference.train().images;
  Vars rows{samples};
  for (bool features : {false, true}) {
    const std::vector<Index> index = reference.nearest_in_training(samples, features).index;
    rows.push_back(raw::gather(all, IntTensor({samples.dim(0)}, {index.begin(), index.end()})));
  }
  album.png("neighbours-" + shown.plan.process, concat(rows, 0).value(), samples.dim(0),
            "Samples above their nearest training images in pixels and in features",
            fmt::format("{}: samples; below each the nearest of {} training images in pixels, and in the "
                        "classifier's features",
                        shown.title, all.dim(0)));
}

/// 1 where a picture is known: in its upper half, or everywhere but in a square.
Tensor mask(bool half, Index H, Index W) {
  if (half) return concat({Tensor::full({1, H / 2, W}, 1), Tensor::full({1, H - H / 2, W}, 0)}, 1).value();
  const Var square = Tensor::full({1, H - H / 4 * 2, W - W / 4 * 2}, 1);
  return (1 - pad(pad(square, 1, H / 4, H / 4), 2, W / 4, W / 4)).value();
}

/// A test image, what is known of it (the rest grey), and completions.
void draw_completed(Album& album, const Shown& shown, const Tensor& test) {
  constexpr Index completions = 6;
  const std::string& process = shown.plan.process;
  Model model = load_model(shown.model);
  const Shape one{1, 1, model.height, model.width};
  Vars rows;
  for (Index k = 0; k < 4; ++k) {
    SampleOptions s;
    s.count = completions;
    s.device = shown.options.device;
    s.seed = static_cast<std::uint64_t>(k);
    s.known = test.slice(0, k, k + 1).packed().reshape({1, model.height, model.width});
    s.mask = mask(k % 2 == 0, model.height, model.width);
    rows.push_back(reshape(s.known, one));
    rows.push_back(reshape(where(s.mask, s.known, Var(Tensor::full({}, 0.5))), one));
    rows.push_back(sample(model, s).images);
  }
  album.png(
      "completed-" + process, concat(rows, 0).value(), completions + 2,
      "Test images, what is known of them, and completions by " + process,
      process + ": a test image, what is known of it, six completions (20 steps of the probability flow)");
}

void draw_guidance(Album& album, Model& model, const std::string& dataset, Device device) {
  album.section(
      "Classes, with more and more guidance",
      fmt::format(
          "A multiplicative model trained with labels (<code>dale train --classes</code>, {} steps: less "
          "than the models compared) and sampled by <code>dale sample --classes … --guidance w</code>: "
          "scores in the logarithmic chart are combined as they are in the additive one.",
          model.notes.at("steps")));
  const auto& names = class_names.at(published_name(dataset));
  const Index classes = std::ssize(names);
  SampleOptions s;
  s.device = device;
  for (std::int32_t c = 0; c < classes; ++c) s.classes.push_back(c);
  s.count = 4 * classes;
  for (double w : {0.0, 1.0, 3.0}) {
    s.guidance = w;
    album.attempt(fmt::format("guidance {}", w), [&] {
      album.png(fmt::format("guidance-{}", w), sample(model, s).images, classes,
                fmt::format("Samples by class with guidance {}", w),
                fmt::format("w = {}{}; columns: {}", w, w == 0 ? ", which ignores the class" : "",
                            fmt::join(names, ", ")));
    });
  }
}

}  // namespace

void draw_pictures(const std::string& dataset, const Reference& reference, const CompareOptions& o) {
  const fs::path set = o.out / dataset, file = set / "pictures" / "pictures.json";
  const fs::path guided = set / "gbm-classes" / "model.safetensors";
  const std::vector<Shown> shown = shown_plans(set, o);
  Json made_of = {{"sources", sampling_sources}, {"drawing", study_sources}, {"device", str(o.device)}};
  for (const Shown& s : shown) made_of[s.title] = md5(read_file(s.model)) + md5(read_file(s.samples));
  if (fs::exists(guided)) made_of["guided"] = md5(read_file(guided));
  if (is_made_of(file, made_of)) return;

  Album album(set / "pictures");
  album.section("The same noise through each model");
  for (const Shown& s : shown)
    album.png("grid-" + s.plan.model().name(), first_images(read_npy(s.samples), 48), 8,
              "Grid of samples: " + s.title, s.title);
  draw_histograms(album, shown, reference.test().images);
  const auto each = [&](const auto& is_shown, const auto& draw) {
    for (const Shown& s : shown)
      if (is_shown(s)) album.attempt(s.title, [&] { draw(s); });
  };
  const auto is_ours = [](const Shown& s) { return !s.tuned() && s.plan.process != "gbm-paper"; };
  each([](const Shown& s) { return s.tuned() && s.plan.process == "gbm"; },
       [&](const Shown& s) { draw_one_multiplication(album, s); });
  album.section("From noise back to data");
  each([](const Shown& s) { return !s.tuned(); }, [&](const Shown& s) { draw_film_strip(album, s); });
  album.section(
      "The missing part",
      "<code>dale sample --inpaint IMAGE --mask MASK</code>: where the picture is known the network's "
      "estimate is replaced by it, in the model's chart.");
  each(is_ours, [&](const Shown& s) { draw_completed(album, s, reference.test().images); });
  album.section("Nearest training images");
  each(is_ours, [&](const Shown& s) { draw_neighbours(album, s, reference); });
  if (fs::exists(guided)) {
    Model model = load_model(guided);
    draw_guidance(album, model, dataset, o.device);
  }
  write_file(file, Json{{"made_of", made_of}, {"sections", album.sections()}}.dump(2) + "\n");
}

}  // namespace dale
