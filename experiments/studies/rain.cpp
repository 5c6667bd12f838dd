// Where multiplying matters: rain rates (data/rain.h) are positive by nature, and skewed. The same network is
// trained alike three times,
//   gbm            on the rate R           noise multiplies
//   ve             on the rate R           noise is added
//   ve, logarithm  on log R                noise is added to the logarithm
// and sampled from the same noise. An additive model spends its scale on the rare large values and puts mass
// below 0; a multiplicative one treats every decade alike and cannot. The first and the last are the same
// model (IV.2), number by number: that is the answer to "why not take logarithms and add?".
#include "experiments/data/rain.h"

#include "experiments/judge/metrics.h"
#include "experiments/judge/values.h"
#include "experiments/page/page.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"
#include "experiments/studies/study.h"
#include "tensor/image.h"

namespace dale {
namespace {

struct Kind {
  const char *name, *process, *embedding;
};
constexpr Kind kinds[] = {
    {"gbm", "gbm", "identity"}, {"ve", "ve", "identity"}, {"ve, logarithm", "ve", "log"}};

/// Samples of a model of a kind, trained where it is not there yet.
Tensor samples_of(const Kind& kind, std::uint64_t seed, const StudyOptions& o) {
  TrainOptions t;
  t.dataset = rain_name;
  t.data = o.data;
  t.process = kind.process;
  t.embedding = kind.embedding;
  t.out = o.out / fmt::format("{}-{}-seed-{}", kind.process, kind.embedding, seed);
  t.steps = o.quick ? 4 : 2000;
  t.batch = 16;
  t.optimizer = "muon";
  t.learning_rate = 2e-3;
  t.decay = "cosine";
  t.seed = seed;
  t.resume = true;
  Model model = load_model(train(t).model);
  SampleOptions s;
  s.sampler = "probability-flow";
  s.steps = o.quick ? 10 : 20;
  s.s_min_factor = 0.01;
  s.count = o.quick ? 16 : 1000;
  s.seed = seed;
  return sample(model, s).images;
}

std::string quantile_figure(const std::vector<std::vector<ValueSummary>>& found, const ValueSummary& train,
                            const ValueSummary& test) {
  std::vector<Series> series;
  const auto add = [&](const char* name, const ValueSummary& v) {
    series.push_back({name, test.quantiles, v.quantiles, Mark::marked_line});
  };
  for (std::size_t k = 0; k < std::size(kinds); ++k) add(kinds[k].name, found[k][0]);
  add("training patches", train);
  series.push_back({"test patches", test.quantiles, test.quantiles});
  return plot({"Quantiles, 0.1 to 99.9 %", "of the test patches, mm/h", "of the samples, mm/h", true, true},
              series);
}

std::string spectrum_figure(const std::vector<std::vector<ValueSummary>>& found, const ValueSummary& train,
                            const ValueSummary& test) {
  std::vector<Series> series;
  const auto add = [&](const char* name, const ValueSummary& v) {
    Series s{name, {}, {}, Mark::marked_line};
    for (std::size_t k = 0; k < test.spectrum.size(); ++k)
      s.add(static_cast<double>(k + 1), v.spectrum[k] / test.spectrum[k]);
    series.push_back(s);
  };
  for (std::size_t k = 0; k < std::size(kinds); ++k) add(kinds[k].name, found[k][0]);
  add("training patches", train);
  return plot({"Power of log R by the test patches'", "waves across a patch", "ratio", true}, series);
}

}  // namespace

std::string study_rain(const StudyOptions& o) {
  const Dataset all = load_rain(o.data, Split::train);
  const Tensor test = load_rain(o.data, Split::test).images;
  const double least = least_positive(test);
  make_folder(o.out);
  std::vector<std::vector<ValueSummary>> found(std::size(kinds));
  std::vector<Tensor> shown{test.slice(0, 0, 8).packed()};
  Index count = 0;
  for (int t = 0; t < o.training_seeds; ++t)
    for (std::size_t k = 0; k < std::size(kinds); ++k) {
      const Tensor samples = samples_of(kinds[k], o.seed + static_cast<std::uint64_t>(t), o);
      found[k].push_back(values_of(samples, least));
      count = samples.dim(0);
      if (t == 0) shown.push_back(samples.slice(0, 0, 8).packed());
    }
  const ValueSummary train = values_of(all.images.slice(0, 0, std::min(count, all.images.dim(0))).packed(),
                                       least),
                     real_ones = values_of(test, least);

  std::vector<std::vector<std::string>> rows;
  std::string csv = "measure,test,training,gbm,ve,ve of logarithms\n";
  const auto row = [&](const std::string& measure, int digits, const auto& number) {
    std::vector<std::string> cells{measure, fmt::format("{:.{}f}", number(real_ones), digits),
                                   fmt::format("{:.{}f}", number(train), digits)};
    for (const auto& seeds : found) {
      std::vector<double> values;
      for (const ValueSummary& v : seeds) values.push_back(number(v));
      cells.push_back(str(spread(values), digits));
    }
    rows.push_back(cells);
    for (std::size_t i = 0; i < cells.size(); ++i) csv += cells[i] + (i + 1 < cells.size() ? "," : "\n");
  };
  row("share of values ≤ 0 (%)", 3, [](const ValueSummary& v) { return 100 * v.not_positive; });
  row("W1 of log R", 3, [&](const ValueSummary& v) { return log_distance(v, real_ones); });
  for (std::size_t q = 0; q < std::size(quantile_levels); ++q)
    row(fmt::format("quantile {:g} % (mm/h)", 100 * quantile_levels[q]), 3,
        [q](const ValueSummary& v) { return v.quantiles[q]; });
  for (std::size_t k : {std::size_t{0}, std::size_t{3}, std::size_t{6}, std::size_t{9}, std::size_t{13}})
    row(fmt::format("power of log R by that of the test (waves: {})", k + 1), 2,
        [&, k](const ValueSummary& v) { return v.spectrum[k] / real_ones.spectrum[k]; });
  write_file(o.out / "rain.csv", csv);

  const Greys greys = greys_of(test);
  Vars maps;
  for (const Tensor& images : shown) maps.push_back(greys.of(images));
  const Tensor grid = image_grid(concat(maps, 0).value(), 8, 2, 2);
  write_png(o.out / "rain_maps.png", grid);
  return fmt::format(
             "<h2>Rain: data that are positive by nature</h2>\n<p>Rain rates by radar, mm/h, where it rains "
             "everywhere{}; the same network, budget and noise, {} training seed(s), {} samples each by the "
             "probability flow with {} steps. As a floor, as many training patches, 20 minutes and more "
             "before the "
             "test's. ve on the logarithm is gbm on the rate, number by number.</p>\n",
             all.note.empty() ? "" : " (" + escape_html(all.note) + ")", o.training_seeds, count,
             o.quick ? 10 : 20) +
         html_table({"measure", "test patches", "training patches", "gbm", "ve", "ve, logarithm"}, rows, 1) +
         captioned(
             picture(grid, "Maps of rain: test patches, and samples of each model"),
             fmt::format("Rows: test patches, gbm, ve, ve on logarithms; black {:.2g}, white {:.2g} mm/h, by "
                         "logarithm. Radar data: Finnish Meteorological Institute, CC BY 4.0.",
                         greys.black, greys.white)) +
         figure(o.out / "rain_quantiles.svg", quantile_figure(found, train, real_ones)) +
         figure(o.out / "rain_spectrum.svg", spectrum_figure(found, train, real_ones));
}

}  // namespace dale
