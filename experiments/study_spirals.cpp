// Spirals: the picture of diffusion that everyone looks at, by adding and by multiplying. Two spirals in the positive
// quadrant; one small network, one budget and one seed for both charts, where y_t = ψ(x₀) + s Z as for images:
//   F(x, c_noise) = MLP( x, c_noise, sin 2ᵏx, cos 2ᵏx, k = 0 … 4 ),   trained with (6) of diffusion/loss.h
// Sines of several octaves let so small a network draw curves much finer than the whole.
// Samples are judged by the sliced Wasserstein distance to exact draws, beside that of exact draws from one another (the
// floor); and by strays, because slices hardly see what lies between the arms.
//
// Read first: diffusion/sampler.h, diffusion/exact.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "experiments/figure.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study.h"
#include "nn/ema.h"
#include "nn/mlp.h"
#include "nn/optim.h"
#include "tensor/file.h"
#include "tensor/image.h"

namespace dale {
namespace {

// Streams of the study's key.
enum : std::uint64_t {
  fit_stream,
  weights_stream,
  data_stream,
  noise_stream,
  prior_stream,
  sampling_stream,
  path_stream,
  truth_stream,
  slices_stream
};

constexpr Index octaves = 5, hidden_units = 128, batch = 1024, paths = 24;
constexpr double s_min = 0.002,
                 s_max_factor = 12;    // 12 σ_d: in two dimensions nothing shows through (study_prior.cpp)
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
  std::vector<double> levels(int steps) const {
    return edm_levels(steps, s_min, s_max_factor * edm.deviation);
  }
  Var prior(Index n, double s, Key key) const {
    return normal_prior({n, 2}, edm.mean, std::hypot(s, edm.deviation), key);
  }
};

/// Every step sees new points; the learning rate falls to 0 and the average of the weights is kept.
Trained train(const Process& process, Index steps, Key key) {
  const auto in_chart = [&](Index n, Key k) { return process.chart(spirals(n, k)).value(); };
  Trained out{process, Edm::fitted(in_chart(50000, key.split(fit_stream))),
              SpiralNetwork(key.split(weights_stream))};
  const auto all = parameters(out.network.mlp);
  const Network network = [&](const Var& x, const Var& c_noise) { return out.network(x, c_noise); };
  Adam adam(all);
  Ema ema(all, 0.999);
  Progress bar("spirals, " + process.name(), steps, "points", batch);
  for (Index step = 0; step < steps; ++step) {
    const auto number = static_cast<std::uint64_t>(step);
    Vars weights;
    for (const auto& p : all) weights.push_back(*p.parameter);
    const Tensor y0 = in_chart(batch, key.split(data_stream).split(number)).reshape({batch, 2, 1, 1});
    const Vars g = grad(denoising_loss(network, out.edm, y0, key.split(noise_stream).split(number)), weights);
    adam.step(g, 0.01 * (1 - static_cast<double>(step) / static_cast<double>(steps)),
              clip_scale(global_norm(g), 1));
    ema.update();
    bar.update(step + 1);
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].parameter->leaf_value() = ema.average()[i];
  return out;
}

// ---- Samples ----------------------------------------------------------------------------------------------------------

struct Sampler {
  std::string name;
  int steps;
  bool multiplicative_only;
  std::function<Var(const Trained&, const Denoiser&, Index n, int steps, Key prior, Key noise)> run;
};

std::vector<Sampler> samplers() {
  const auto of_levels = [](auto solver) {
    return [solver](const Trained& m, const Denoiser& D, Index n, int steps, Key prior, Key noise) {
      const std::vector<double> levels = m.levels(steps);
      return solver(D, m.prior(n, levels[0], prior), levels, noise);
    };
  };
  using Levels = std::vector<double>;
  const auto heuns = of_levels([](auto& D, Var y, const Levels& s, Key) { return heun(D, y, s); });
  return {{"heun", 40, false, heuns},
          {"heun", 10, false, heuns},
          {"dpm-solver", 20, false,
           of_levels([](auto& D, Var y, const Levels& s, Key) { return dpm_solver(D, y, s); })},
          {"ancestral", 100, false,
           of_levels([](auto& D, Var y, const Levels& s, Key k) { return ancestral(D, y, s, k); })},
          {"dale-langevin", 250, true,
           [](const Trained& m, const Denoiser& D, Index n, int steps, Key prior, Key noise) {
             const GeometricBrownianMotion gbm;
             return dale_langevin(score_of(D, gbm), m.prior(n, gbm.marginal(gbm.T()).s, prior), gbm, {steps},
                                  noise);
           }}};
}

/// The share of points of a (N,2) farther than `stray` from every one of b (N,2).
double strays(const Tensor& a, const Tensor& b) {
  const std::vector<real> p = a.to_vector(), q = b.to_vector();
  std::size_t count = 0;
  for (std::size_t i = 0; i < p.size(); i += 2) {
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < q.size(); j += 2)
      nearest = std::min(
          nearest, std::hypot(static_cast<double>(p[i] - q[j]), static_cast<double>(p[i + 1] - q[j + 1])));
    count += nearest > stray;
  }
  return 2 * static_cast<double>(count) / static_cast<double>(p.size());
}

/// Exact draws, twice: two sets of n for every round.
struct Truth {
  std::vector<Tensor> first, second;
  Key slices;

  Truth(Index n, Key key) : slices(key.split(slices_stream)) {
    for (std::uint64_t k = 0; k < 8; ++k)
      (k % 2 ? second : first).push_back(spirals(n, key.split(truth_stream).split(k)));
  }
  double distance(const Tensor& x) const {
    double total = 0;
    for (const Tensor& exact : first) total += sliced_wasserstein(x, exact, 64, slices);
    return total / static_cast<double>(first.size());
  }
  double floor() const {
    double total = 0;
    for (const Tensor& exact : second) total += distance(exact);
    return total / static_cast<double>(second.size());
  }
};

struct Row {
  std::string process, sampler;
  Index evaluations;
  double distance, strays;
  Tensor x;  // (n,2)
};

std::vector<Row> sample(const Trained& m, const Truth& truth, Key key) {
  std::vector<Row> rows;
  const Index n = truth.first[0].dim(0);
  for (const Sampler& s : samplers()) {
    if (s.multiplicative_only && !m.process.multiplicative()) continue;
    Index calls = 0;
    const Denoiser counted = [&calls, D = m.denoiser()](const Var& y, double level) {
      ++calls;
      return D(y, level);
    };
    const Var y = s.run(m, counted, n, s.steps, key.split(prior_stream), key.split(sampling_stream));
    const Tensor x = m.process.unchart(y).value();
    rows.push_back({m.process.name(), s.name, calls, truth.distance(x), strays(x, truth.first[0]), x});
  }
  return rows;
}

// ---- Paths ------------------------------------------------------------------------------------------------------------

/// x (paths,2) of one set of particles at successive levels.
using Path = std::vector<Tensor>;

/// From noise to data by Heun's rule.
Path backward(const Trained& m, const std::vector<double>& levels, Key key) {
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
  std::vector<bool> crossed(paths);
  for (const Tensor& x : path) {
    const std::vector<real> v = x.to_vector();
    for (std::size_t i = 0; i < v.size(); ++i)
      if (v[i] < 0) crossed[i / 2] = true;
  }
  return std::count(crossed.begin(), crossed.end(), true);
}

// ---- Figures ----------------------------------------------------------------------------------------------------------

Series points(const std::string& name, const Tensor& x) {
  Series out{name, {}, {}, Mark::points};
  const std::vector<real> v = x.to_vector();
  for (std::size_t i = 0; i < v.size(); i += 2) {
    out.x.push_back(static_cast<double>(v[i]));
    out.y.push_back(static_cast<double>(v[i + 1]));
  }
  return out;
}

/// One line a particle, broken by NaN between particles and where it is outside the frame.
Series lines(const std::string& name, const Path& path) {
  Series out{name, {}, {}};
  std::vector<Series> at;
  for (const Tensor& x : path) at.push_back(points("", x));
  for (std::size_t k = 0; k < static_cast<std::size_t>(paths); ++k) {
    for (const Series& s : at) {
      const bool inside = std::min(s.x[k], s.y[k]) > low && std::max(s.x[k], s.y[k]) < high;
      out.x.push_back(inside ? s.x[k] : NAN);
      out.y.push_back(inside ? s.y[k] : NAN);
    }
    out.x.push_back(NAN);
    out.y.push_back(NAN);
  }
  return out;
}

std::string figure(const std::string& title, const Series& points, const Series& lines) {
  const Series corners{
      "", {low, NAN, high}, {low, NAN, high}};  // draws nothing, and gives each figure the same frame
  return plot({title, "x₁", "x₂", false, false, 720, 600}, {points, lines, corners});
}

/// Two-dimensional histograms of each set of points (N,2) on [1, 9]², side by side, dark where points are: √(count/largest).
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

std::string csv(const std::vector<Row>& rows, double floor) {
  std::string out = "process,sampler,evaluations,sliced_wasserstein,floor,strays\n";
  for (const Row& r : rows)
    out += fmt::format("{},{},{},{:.4f},{:.4f},{:.4f}\n", r.process, r.sampler, r.evaluations, r.distance,
                       floor, r.strays);
  return out;
}

const Row& row(const std::vector<Row>& rows, const std::string& process, const std::string& sampler) {
  for (const Row& r : rows)
    if (r.process == process && r.sampler == sampler) return r;
  broken("the spirals have no row {} {}", process, sampler);
}

std::string paragraph(const std::vector<Row>& rows, double floor, Index gbm_crossings, Index ve_crossings) {
  const Row &gbm = row(rows, "gbm", "heun"), &ve = row(rows, "ve", "heun"),
            &langevin = row(rows, "gbm", "dale-langevin");
  return fmt::format(
      "Of {} paths from data to noise twice as wide as the data, {} leave the positive quadrant when noise "
      "is added and {} when it "
      "multiplies. Back again with {} evaluations of Heun's rule, samples are {:.3f} (gbm) and {:.3f} (ve) "
      "from exact draws, which "
      "are {:.3f} from one another; {:.1f}% and {:.1f}% are farther than {} from every exact draw. "
      "Dale–Langevin with {} equal steps is at "
      "{:.3f} with {:.0f}% astray: the noise of one step is {:.2f} in log x, and an arm is 0.06 in x.",
      paths, ve_crossings, gbm_crossings, gbm.evaluations, gbm.distance, ve.distance, floor, 100 * gbm.strays,
      100 * ve.strays, stray, langevin.evaluations, langevin.distance, 100 * langevin.strays,
      0.8 / std::sqrt(static_cast<double>(langevin.evaluations)));
}

}  // namespace

std::string study_spirals(const StudyOptions& o) {
  make_folder(o.out);
  const Key key{o.seed};
  const Truth truth(o.quick ? 400 : 8000, key);
  const Tensor data = truth.first[0], shown = data.slice(0, 0, std::min<Index>(2000, data.dim(0)));
  std::vector<Row> rows;
  std::vector<Index> crossed;
  std::string figures;
  for (const char* name : {"gbm", "ve"}) {
    const Trained m = train(process_named(name), o.quick ? 60 : 5000, key);
    const NoGrad off;
    for (const Row& r : sample(m, truth, key)) rows.push_back(r);
    const Path there = forward(m, 60, key.split(path_stream)),
               back = backward(m, m.levels(40), key.split(path_stream));
    const Tensor made = row(rows, name, "heun").x.slice(0, 0, shown.dim(0));
    crossed.push_back(crossings(there));
    const std::string noising = figure(fmt::format("{}: data, and paths to noise", name),
                                       points("data", shown), lines("paths", there));
    const std::string sampling = figure(fmt::format("{}: samples, and paths back from noise", name),
                                        points("samples", made), lines("paths", back));
    write_file(o.out / fmt::format("spirals_{}_forward.svg", name), noising);
    write_file(o.out / fmt::format("spirals_{}.svg", name), sampling);
    figures += "<figure>" + noising + "</figure>\n<figure>" + sampling + "</figure>\n";
  }
  const Tensor maps = density({data, row(rows, "gbm", "heun").x, row(rows, "ve", "heun").x});
  const double floor = truth.floor();
  write_png(o.out / "spirals_density.png", maps);
  write_file(o.out / "spirals.csv", csv(rows, floor));
  return "<h2>Two spirals, by multiplying and by adding</h2>\n<p>" +
         paragraph(rows, floor, crossed[0], crossed[1]) + "</p>\n<figure>" +
         picture(maps, "Density of the data, of gbm's samples and of ve's, side by side") +
         "<figcaption>Density: data, gbm, ve</figcaption></figure>\n<div class='side'>\n" + figures +
         "</div>\n";
}

}  // namespace dale
