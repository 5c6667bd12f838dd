// The figures of the chapters, made of the library and the models that are shipped. No numbers are measured
// here, and dale compare leaves this study out.
//   II   graph.svg      values and derivatives in the graphs of x·exp(x) and of its derivative
//   III  unet.svg       the score U-Net with its shapes
//   IV   forward.png    the same images and noise under gbm and under ve, at six levels
//        samplers.png   every sampler from the same seed, by one model; then a consistency model
//        paths.svg      a pixel on its way back by Dale–Langevin, as log x and as x
// Chapter IV's convergence.svg is convergence-2.svg of the study exact.
#include <algorithm>
#include <cmath>

#include "diffusion/sampler.h"
#include "experiments/data/dataset.h"
#include "experiments/run/sample.h"
#include "experiments/studies/study.h"

namespace dale {
namespace {

constexpr const char* dataset = "fashion-mnist";
constexpr Index gap = 2, zoom = 2;

std::string left_out(const char* file, const std::string& why) {
  fmt::print("{} is left out: {}\n", file, why);
  return fmt::format("<p>{} is left out: {}.</p>\n", file, escape_html(why));
}

/// A shipped model, or none and `why`.
std::optional<Model> shipped(const std::string& name, std::string& why) {
  std::filesystem::path file;
  try {
    file = pretrained(name + "-" + dataset + ".safetensors");
  } catch (const std::runtime_error& error) {
    why = error.what();
    return {};
  }
  return load_model(file);
}

/// Groups of rows of images, a band of white between groups, in so few greys that the file is small.
Tensor in_groups(const std::vector<Tensor>& groups, Index columns, int greys) {
  Vars parts;
  for (const Tensor& images : groups) {
    const Tensor part = image_grid(images, columns, gap, zoom);
    if (!parts.empty()) parts.push_back(Tensor::full({1, 6 * gap, part.dim(2)}, 1));
    parts.push_back(part);
  }
  Tensor picture = concat(parts, 1).value();
  const real white = static_cast<real>(greys - 1);
  for (real& v : picture.span()) v = std::round(std::clamp<real>(v, 0, 1) * white) / white;
  return picture;
}

// ---- Forwards ---------------------------------------------------------------------------------------------

/// The first image of each class, at most `count` of them.
Tensor one_of_each(const Dataset& data, Index count) {
  const std::vector<std::int32_t> labels = data.labels.to_vector();
  Vars images;
  for (std::int32_t k = 0; k < data.classes && static_cast<Index>(images.size()) < count; ++k)
    if (const auto at = std::ranges::find(labels, k); at != labels.end()) {
      const Index n = at - labels.begin();
      images.push_back(data.images.slice(0, n, n + 1).packed());
    }
  return concat(images, 0).value();
}

std::string forward(const StudyOptions& o) {
  if (!find_split(dataset, o.data, Split::test))
    return left_out("forward.png", fmt::format("{} was not found: {}", dataset, dataset_remedy(dataset)));
  const Embedding pixels;
  const Var x = pixels.embed(one_of_each(load_dataset(dataset, o.data, Split::test), 8));
  const Var z = normal(Key{o.seed}, x.shape());
  std::vector<Tensor> groups;
  for (const char* name : {"gbm", "ve"}) {
    const Process& process = process_named(name);
    Vars rows;
    for (double s : {0.1, 0.2, 0.4, 0.8, 2.0, 10.0})
      rows.push_back(pixels.data_of(process.sample(x, process.time_at(s), z)));
    groups.push_back(concat(rows, 0).value());
  }
  return figure(
      o.out / "forward.png", in_groups(groups, x.dim(0), 6),
      "Eight images of Fashion-MNIST that drown in noise row by row, above under gbm, below under ve",
      "x_t for the same images and the same Z at s = 0.1, 0.2, 0.4, 0.8, 2 and 10, row by row: above "
      "under gbm, x exp(sZ), below under ve, x + sZ. Black is x ≤ 1, white x ≥ 2.");
}

// ---- Samplers ---------------------------------------------------------------------------------------------

struct Row {
  const char* sampler;
  int steps;
  const char* grid = "levels";
};
const std::vector<std::vector<Row>> rows_of_denoiser{
    {{"probability-flow", 20}, {"ddim", 40}, {"dpm-solver", 20}},
    {{"ancestral", 100}, {"stochastic", 20}, {"dale-langevin", 100}, {"eta", 100}},
    {{"unconstrained", 1000, "uniform"}, {"dale-langevin", 1000, "uniform"}}};
const std::vector<Row> rows_of_consistency{{"consistency", 1}, {"consistency", 2}};

std::string samplers(const StudyOptions& o, Model& model, Model& consistent) {
  const Index count = o.quick ? 2 : 10;
  std::vector<Tensor> groups;
  std::vector<std::vector<std::string>> table;
  const auto add = [&](Model& by, const std::vector<Row>& rows) {
    Vars images;
    for (const Row& row : rows) {
      SampleOptions s;
      s.sampler = row.sampler;
      s.grid = row.grid;
      s.steps = o.quick ? std::min(row.steps, 4) : row.steps;
      s.count = count;
      s.seed = o.seed;
      const SampleResult result = sample(by, s);
      images.push_back(result.images);
      table.push_back({std::to_string(table.size() + 1), row.sampler, row.grid, std::to_string(s.steps),
                       std::to_string(result.evaluations)});
    }
    groups.push_back(concat(images, 0).value());
  };
  for (const auto& rows : rows_of_denoiser) add(model, rows);
  add(consistent, rows_of_consistency);
  return figure(o.out / "samplers.png", in_groups(groups, count, 16),
                "Samples of clothes, a row per sampler, all from the same seed",
                "The rows of the table, from the top, all from one seed; other options as dale sample has "
                "them.") +
         html_table({"row", "sampler", "grid", "steps", "evaluations"}, table, 3);
}

// ---- Paths ------------------------------------------------------------------------------------------------

/// Two plots of one size and without a legend, one above the other.
std::string stacked(const std::string& title, const Plot& frame, const std::string& above,
                    std::string below) {
  below.insert(4, fmt::format(" y='{}'", frame.height));
  return Drawing{above + below}.whole(frame.width, 2 * frame.height, title);
}

std::string paths(const StudyOptions& o, const Model& model) {
  constexpr Index count = 6;
  constexpr double highest = 4;  // of x in the figure
  const Edm& edm = model.edm;
  const int steps = o.quick ? 5 : 100;
  const Key key{o.seed};
  const auto levels = edm_levels(*model.process, steps, 0.6 * edm.deviation, 40 * edm.deviation);
  const Shape one{1, 1, model.height, model.width}, all{count, 1, model.height, model.width};
  const Var start = normal_prior(one, edm.mean, scalar::hypot(levels[0], edm.deviation), key.split(0));

  std::vector<Series> log_x(count), x(count);
  double step = 0;
  const auto see = [&](const Var& y) {
    const auto pixel = doubles(y.value().slice(2, 14, 15).slice(3, 14, 15));
    for (std::size_t i = 0; i < pixel.size(); ++i) {
      const double value = scalar::exp(pixel[i]);
      log_x[i].add(step, pixel[i]);
      x[i].add(step, std::min(value, highest));
    }
    ++step;
  };
  const Denoiser D = [&](const Var& y, double s) {
    see(y);
    return model.denoiser()(y, s);
  };
  see(take_steps(D, broadcast_to(start, all), dale_langevin_steps(levels), key.split(1)));
  for (double pixel : {1.0, 2.0}) {
    const Series line = line_of("", 0, steps, steps, [&](double) { return pixel; });
    x.push_back(line);
    log_x.push_back({"", line.x, {scalar::log(pixel), scalar::log(pixel)}});
    x.back().pen = log_x.back().pen = 6;
  }
  const Plot above{.title = "log x of one pixel, from one start by six draws of noise; dashed: 0 and log 2",
                   .x_label = "step",
                   .y_label = "log x",
                   .width = 720,
                   .height = 300};
  Plot below = above;
  below.title = "x of the same, cut at 4; dashed: 1, which is black, and 2, which is white";
  below.y_label = "x";
  return figure(o.out / "paths.svg", stacked("A pixel on six paths of Dale–Langevin, as log x and as x",
                                             above, plot(above, log_x), plot(below, x)));
}

}  // namespace

std::string study_figures(const StudyOptions& o) {
  make_folder(o.out);
  std::string section = "<h2>The figures of the chapters</h2>\n" +
                        figure(o.out / "graph.svg", graph_diagram()) +
                        figure(o.out / "unet.svg", unet_diagram()) + forward(o);
  std::string no_model, no_consistent;
  std::optional<Model> model = shipped("gbm", no_model), consistent = shipped("consistency", no_consistent);
  section += model && consistent ? samplers(o, *model, *consistent)
                                 : left_out("samplers.png", model ? no_consistent : no_model);
  section += model ? paths(o, *model) : left_out("paths.svg", no_model);
  return section;
}

}  // namespace dale
