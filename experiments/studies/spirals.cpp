// Spirals: the picture of diffusion that everyone looks at, by adding and by multiplying. Two spirals in the
// positive quadrant; one small network, one budget and one seed for both charts, as for images:
//   F(x, c_noise) = MLP( x, c_noise, sin 2ᵏx, cos 2ᵏx, k = 0 … 4 ),   trained with (IV.13)
// Sines of several octaves let so small a network draw curves much finer than the whole.
// Samples are judged by the sliced Wasserstein distance to exact draws, beside that of exact draws from one
// another (the floor); and by strays, because slices hardly see what lies between the arms.
//
// Read first: diffusion/sampler.h, diffusion/exact.h.
#include <algorithm>
#include <cmath>
#include <utility>

#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "experiments/judge/evaluate.h"
#include "experiments/run/fit.h"
#include "experiments/studies/study.h"
#include "nn/layers.h"
#include "nn/optim.h"

namespace dale {
namespace {

// Streams of the study's key.
enum : std::uint64_t {
  weights_stream,
  data_stream,
  noise_stream,
  prior_stream,
  sampling_stream,
  path_stream,
  exact_stream
};

using Path = std::vector<Tensor>;  // x (paths,2) of one set of particles at successive levels

constexpr Index octaves = 5, hidden_units = 128, batch = 1024, paths = 24;
constexpr int langevin_steps = 250;
constexpr double low = -1, high = 11;  // the frame of the figures, in x
constexpr double stray = 0.15;         // farther than this from every exact draw

struct SpiralNetwork {
  Mlp mlp;

  explicit SpiralNetwork(Key key)
      : mlp({3 + 4 * octaves, hidden_units, hidden_units, hidden_units, 2}, key) {}

  /// x (N,2) or (N,2,1,1), c_noise (N) → as x.
  Var operator()(const Var& x, const Var& c_noise) const {
    const Var point = reshape(x, {-1, 2});
    Vars features{point, reshape(c_noise, {-1, 1})};
    for (Index k = 0; k < octaves; ++k)
      for (auto wave : {sin, cos}) features.push_back(wave(point * static_cast<real>(1 << k)));
    return reshape(mlp(concat(features, 1)), x.shape());
  }
};

struct Trained {
  const Process& process;
  Edm edm;
  SpiralNetwork network;

  Denoiser denoiser() const { return edm.denoiser(network); }
  /// From 12 σ_d: in two dimensions nothing shows through there (prior.cpp).
  std::vector<double> levels(int steps) const { return edm_levels(steps, 0.002, 12 * edm.deviation); }
  Var prior(Index n, double s, Key key) const {
    return normal_prior({n, 2}, edm.mean, scalar::hypot(s, edm.deviation), key);
  }
};

/// Every step sees new points; the scale is that of points no step sees. The learning rate falls to 0, and
/// the average of the weights is kept.
Trained train(const Process& process, Index steps, Key key) {
  const auto points = [&](Index n, Index step) {
    return process.chart(spirals(n, key.split(data_stream).split(static_cast<std::uint64_t>(step)))).value();
  };
  Trained out{process, Edm::fitted(points(50000, steps)), SpiralNetwork(key.split(weights_stream))};
  const auto all = parameters(out.network.mlp);
  const Network network = [&](const Var& x, const Var& c_noise) { return out.network(x, c_noise); };
  Adam adam(all);
  Ema ema(all, 0.999);
  Progress bar("spirals, " + process.name(), steps, "points", batch);
  const auto gradients = [&](Index step) {
    const Tensor y0 = points(batch, step).reshape({batch, 2, 1, 1});
    const Key noise = key.split(noise_stream).split(static_cast<std::uint64_t>(step));
    return gradients_of(denoising_loss(network, denoising_draws(out.edm, y0, noise)), all);
  };
  fit(adam, {steps, 0.01}, 1, bar, gradients, [&](Index, const Gradients&) { ema.update(); });
  for (std::size_t i = 0; i < all.size(); ++i) all[i].parameter->leaf_value() = ema.average()[i];
  return out;
}

// ---- Samples ----------------------------------------------------------------------------------------------

/// The share of points of a (N,2), of the first 2,000, farther than `stray` from every one of b (N,2).
double strays(const Tensor& a, const Tensor& b) {
  const auto to = nearest(Rows(first_images(a, 2000)), Rows(b)).distance;
  return static_cast<double>(std::ranges::count_if(to, [](double d) { return d > stray; })) /
         static_cast<double>(to.size());
}

/// The mean of the sliced distances to several sets of exact draws.
double distance(const Tensor& x, const std::vector<Tensor>& exact) {
  double total = 0;
  for (const Tensor& set : exact) total += sliced_wasserstein(x, set, 64, Key{1});
  return total / static_cast<double>(exact.size());
}

struct Row {
  std::string sampler;
  Index evaluations;
  double distance, strays;
  Tensor x;  // (n,2)
};

/// Each sampler from the same start; the first row is Heun's rule at 40 levels.
std::vector<Row> sample(const Trained& m, const std::vector<Tensor>& exact, Key key) {
  std::vector<Row> rows;
  Index calls = 0;
  const Denoiser D = [&calls, D = m.denoiser()](const Var& y, double s) {
    ++calls;
    return D(y, s);
  };
  const auto start = [&](double s) { return m.prior(exact[0].dim(0), s, key.split(prior_stream)); };
  const auto add = [&](const char* name, const Var& y) {
    const Tensor x = m.process.unchart(y).value();
    const Index evaluations = std::exchange(calls, 0);
    rows.push_back({name, evaluations, distance(x, exact), strays(x, exact[0]), x});
  };
  const Key noise = key.split(sampling_stream);
  const double s_max = m.levels(1)[0];
  for (int steps : {40, 10}) add("heun", heun(D, start(s_max), m.levels(steps)));
  add("dpm-solver", dpm_solver(D, start(s_max), m.levels(20)));
  add("ancestral", take_steps(D, start(s_max), ancestral_steps(m.levels(100)), noise));
  if (m.process.multiplicative()) {
    const GeometricBrownianMotion gbm;
    const Var y = start(gbm.marginal(gbm.T()).s);
    add("dale-langevin", take_steps(D, y, uniform_steps(gbm, {langevin_steps}), noise));
  }
  return rows;
}

// ---- Paths ------------------------------------------------------------------------------------------------

/// From noise to data by Heun's rule.
Path backward(const Trained& m, Key key) {
  const std::vector<double> levels = m.levels(40);
  Var y = m.prior(paths, levels[0], key);
  Path path{m.process.unchart(y).value()};
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    y = heun(m.denoiser(), y, {levels[i], levels[i + 1]});
    path.push_back(m.process.unchart(y).value());
  }
  return path;
}

/// From data to s = 2 σ_d by the process itself, in equal steps of s²: y′ = y + √(Δs²) Z.
Path forward(const Trained& m, int steps, Key key) {
  Path path{spirals(paths, key.split(0))};
  Var y = m.process.chart(path[0]);
  for (int i = 1; i <= steps; ++i) {
    const Var z = normal(key.split(static_cast<std::uint64_t>(i)), {paths, 2});
    y = y + static_cast<real>(2 * m.edm.deviation / std::sqrt(steps)) * z;
    path.push_back(m.process.unchart(y).value());
  }
  return path;
}

/// How many particles have a coordinate that is negative somewhere on the way.
Index crossings(const Path& path) {
  Var lowest = path[0];
  for (const Tensor& x : path) lowest = minimum(lowest, x);
  return static_cast<Index>(sum(less(min(lowest, {1}), Tensor::full({1}, 0))).item());
}

// ---- Figures ----------------------------------------------------------------------------------------------

Series points(const std::string& name, const Tensor& x) {
  Series out{name, {}, {}, Mark::points};
  const std::vector<double> v = doubles(x);
  for (std::size_t i = 0; i < v.size(); i += 2) out.add(v[i], v[i + 1]);
  return out;
}

/// A line for each of the first `count` particles, broken by NaN after each and where it leaves the frame.
Series lines(const std::string& name, const Path& path, std::size_t count) {
  Series out{name, {}, {}};
  std::vector<Series> at;
  for (const Tensor& x : path) at.push_back(points("", x));
  for (std::size_t k = 0; k < count; ++k) {
    for (const Series& s : at) {
      const bool inside = std::min(s.x[k], s.y[k]) > low && std::max(s.x[k], s.y[k]) < high;
      out.add(inside ? s.x[k] : NAN, inside ? s.y[k] : NAN);
    }
    out.add(NAN, NAN);
  }
  return out;
}

/// Histograms of sets of points (N,2) on [1, 9]², side by side, dark where points are: 1 − √(count/largest).
Tensor density(const std::vector<Tensor>& sets) {
  constexpr Index bins = 96;
  std::vector<real> grey;
  for (const Tensor& set : sets) {
    std::vector<double> count(bins * bins);
    const Series p = points("", set);
    for (std::size_t i = 0; i < p.x.size(); ++i) {
      const double column = (p.x[i] - 1) / 8 * bins, row = (9 - p.y[i]) / 8 * bins;
      if (std::min(column, row) >= 0 && std::max(column, row) < bins)
        ++count[static_cast<std::size_t>(row) * bins + static_cast<std::size_t>(column)];
    }
    const double largest = *std::max_element(count.begin(), count.end());
    for (double c : count) grey.push_back(static_cast<real>(1 - std::sqrt(c / std::max(1.0, largest))));
  }
  const Index n = static_cast<Index>(sets.size());
  return image_grid(Tensor({n, 1, bins, bins}, grey), n, 4, 3);
}

std::string paragraph(const std::vector<Row>& gbm, const std::vector<Row>& ve, double floor,
                      const std::vector<Index>& crossed) {
  const Row& langevin = gbm.back();
  return fmt::format(
      "Of {} paths from data to noise twice as wide as the data, {} leave the positive quadrant where noise "
      "is added, {} where it multiplies. Back again with {} evaluations of Heun's rule, samples are {:.3f} "
      "(gbm) and {:.3f} (ve) from exact draws, which are {:.3f} from one another; {:.1f}% and {:.1f}% lie "
      "farther than {} from every exact draw. Dale–Langevin with {} equal steps is at {:.3f} with {:.0f}% "
      "astray: the noise of one step is {:.2f} in log x, {:.2f} in x at the centre, and an arm's deviation "
      "is 0.06.",
      paths, crossed[1], crossed[0], gbm[0].evaluations, gbm[0].distance, ve[0].distance, floor,
      100 * gbm[0].strays, 100 * ve[0].strays, stray, langevin.evaluations, langevin.distance,
      100 * langevin.strays, 0.8 / std::sqrt(langevin_steps), 5 * 0.8 / std::sqrt(langevin_steps));
}

}  // namespace

std::string study_spirals(const StudyOptions& o) {
  make_folder(o.out);
  const Key key{o.seed};
  const Index n = o.quick ? 400 : 8000, shown = std::min<Index>(n, 2000);
  std::vector<Tensor> exact, others;
  for (std::uint64_t k = 0; k < 8; ++k)
    (k % 2 ? exact : others).push_back(spirals(n, key.split(exact_stream).split(k)));
  double floor = 0;
  for (const Tensor& set : others) floor += distance(set, exact) / static_cast<double>(others.size());

  std::vector<Row> all[2];
  std::vector<Index> crossed;
  std::string figures, text = "process,sampler,evaluations,sliced_wasserstein,floor,strays\n";
  const Series corners{"", {low, NAN, high}, {low, NAN, high}};  // draws nothing: one frame for all figures
  const auto draw = [&](const std::string& file, const Plot& frame, const Tensor& x, const Series& path) {
    figures += figure(o.out / ("spirals_" + file + ".svg"),
                      plot(frame, {points("points", x.slice(0, 0, shown)), path, corners}));
  };
  for (const std::string name : {"gbm", "ve"}) {
    const Trained m = train(process_named(name), o.quick ? 60 : 5000, key);
    const NoGrad off;
    auto& rows = all[name == "ve"];
    rows = sample(m, exact, key);
    for (const Row& r : rows)
      text += fmt::format("{},{},{},{:.4f},{:.4f},{:.4f}\n", name, r.sampler, r.evaluations, r.distance,
                          floor, r.strays);
    const Path there = forward(m, 60, key.split(path_stream));
    crossed.push_back(crossings(there));
    const Path back = backward(m, key.split(path_stream));
    const auto frame = [&](auto what) { return Plot{name + what, "x₁", "x₂", false, false, 560, 500}; };
    draw(name + "_forward", frame(": data, and paths to noise"), exact[0], lines("paths", there, 10));
    draw(name, frame(": samples, and paths back from noise"), rows[0].x, lines("paths", back, paths));
  }
  const Tensor maps = density({exact[0], all[0][0].x, all[1][0].x});
  write_file(o.out / "spirals.csv", text);
  return "<h2>Two spirals, by multiplying and by adding</h2>\n<p>" +
         paragraph(all[0], all[1], floor, crossed) + "</p>\n" +
         figure(o.out / "spirals_density.png", maps,
                "Density of the data, of gbm's samples and of ve's, side by side", "Density: data, gbm, ve") +
         "<div class='side'>\n" + figures + "</div>\n";
}

}  // namespace dale
