// Where multiplying matters: rain rates (data/rain.cpp) are positive by nature, and skewed. The same network
// is trained alike three times,
//   gbm            on the rate R           noise multiplies
//   ve             on the rate R           noise is added
//   ve, logarithm  on log R                noise is added to the logarithm
// and sampled from the same noise. An additive model spends its scale on the rare large values and puts mass
// below 0; a multiplicative one treats every decade alike and cannot. The first and the last are the same
// model (IV.2), number by number: that is the answer to "why not take logarithms and add?".
#include "experiments/data/dataset.h"
#include "experiments/judge/evaluate.h"
#include "experiments/judge/values.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"
#include "experiments/studies/study.h"

namespace dale {
namespace {

/// A column of the table: a kind of model or, without a process, patches; and what was found, of models
/// training seed by training seed.
struct Column {
  const char *name, *process = nullptr, *embedding = nullptr;
  std::vector<ValueSummary> found{};
};

/// Samples of a model of a kind, trained where it is not there yet.
Tensor samples_of(const Column& kind, std::uint64_t seed, const StudyOptions& o) {
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

}  // namespace

std::string study_rain(const StudyOptions& o) {
  const Dataset all = load_rain(o.data, Split::train);
  const Tensor test = load_rain(o.data, Split::test).images;
  const double least = least_positive(test);
  make_folder(o.out);
  std::vector<Column> columns{{"test patches"},
                              {"training patches"},
                              {"gbm", "gbm", "identity"},
                              {"ve", "ve", "identity"},
                              {"ve, logarithm", "ve", "log"}};
  Vars shown{test.slice(0, 0, 8).packed()};
  Index count = 0;
  for (int t = 0; t < o.training_seeds; ++t)
    for (Column& kind : columns) {
      if (!kind.process) continue;
      const Tensor samples = samples_of(kind, o.seed + static_cast<std::uint64_t>(t), o);
      kind.found.push_back(values_of(samples, least));
      count = samples.dim(0);
      if (t == 0) shown.push_back(samples.slice(0, 0, 8).packed());
    }
  columns[0].found.push_back(values_of(test, least));
  columns[1].found.push_back(values_of(first_images(all.images, count), least));
  const ValueSummary& real_ones = columns[0].found[0];

  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> heads{"measure"};
  for (const Column& column : columns) heads.push_back(column.name);
  std::string csv = "measure,test,training,gbm,ve,ve of logarithms\n";
  const auto row = [&](const std::string& measure, int digits, const auto& number) {
    std::vector<std::string> cells{measure};
    for (const Column& column : columns) {
      std::vector<double> values;
      for (const ValueSummary& v : column.found) values.push_back(number(v));
      cells.push_back(str(spread(values), digits));
    }
    rows.push_back(cells);
    for (std::size_t i = 0; i < cells.size(); ++i) csv += cells[i] + (i + 1 < cells.size() ? "," : "\n");
  };
  const auto quantile_of = [](const ValueSummary& v, std::size_t q) { return v.quantiles[q]; };
  const auto power_of = [&](const ValueSummary& v, std::size_t k) {
    return v.spectrum[k] / real_ones.spectrum[k];
  };
  std::vector<double> waves;
  for (std::size_t k = 0; k < real_ones.spectrum.size(); ++k) waves.push_back(static_cast<double>(k + 1));
  row("share of values ≤ 0 (%)", 3, [](const ValueSummary& v) { return 100 * v.not_positive; });
  row("W1 of log R", 3, [&](const ValueSummary& v) { return log_distance(v, real_ones); });
  for (std::size_t q = 0; q < std::size(quantile_levels); ++q)
    row(fmt::format("quantile {:g} % (mm/h)", 100 * quantile_levels[q]), 3,
        [&](const ValueSummary& v) { return quantile_of(v, q); });
  for (std::size_t k : {std::size_t{0}, std::size_t{3}, std::size_t{6}, std::size_t{9}, std::size_t{13}})
    row(fmt::format("power of log R by that of the test (waves: {})", waves[k]), 2,
        [&](const ValueSummary& v) { return power_of(v, k); });
  write_file(o.out / "rain.csv", csv);

  /// number(v, k) of the first seed against x[k].
  const auto curves = [&](const char* file, const Plot& frame, std::initializer_list<std::size_t> which,
                          const std::vector<double>& x, const auto& number) {
    std::vector<Series> series;
    for (std::size_t c : which) {
      series.push_back({columns[c].name, {}, {}, c == 0 ? Mark::line : Mark::marked_line});
      for (std::size_t k = 0; k < x.size(); ++k) series.back().add(x[k], number(columns[c].found[0], k));
    }
    return figure(o.out / file, plot(frame, series));
  };
  const Greys greys = greys_of(test);
  const Tensor grid = image_grid(greys.of(concat(shown, 0).value()), 8, 2, 2);
  return fmt::format(
             "<h2>Rain: data that are positive by nature</h2>\n<p>Rain rates by radar, mm/h, where it rains "
             "everywhere{}; the same network, budget and noise, {} training seed(s), {} samples each by the "
             "probability flow with {} steps. As a floor, as many training patches, 20 minutes and more "
             "before the test's. ve on the logarithm is gbm on the rate, number by number.</p>\n",
             all.note.empty() ? "" : " (" + escape_html(all.note) + ")", o.training_seeds, count,
             o.quick ? 10 : 20) +
         html_table(heads, rows) +
         figure(
             o.out / "rain_maps.png", grid, "Maps of rain: test patches, and samples of each model",
             fmt::format("Rows: test patches, gbm, ve, ve on logarithms; black {:.2g}, white {:.2g} mm/h, by "
                         "logarithm. Radar data: Finnish Meteorological Institute, CC BY 4.0.",
                         greys.black, greys.white)) +
         curves("rain_quantiles.svg",
                {"Quantiles, 0.1 to 99.9 %", "of the test patches, mm/h", "of the samples, mm/h", true, true},
                {2, 3, 4, 1, 0}, real_ones.quantiles, quantile_of) +
         curves("rain_spectrum.svg",
                {"Power of log R by the test patches'", "waves across a patch", "ratio", true}, {2, 3, 4, 1},
                waves, power_of);
}

}  // namespace dale
