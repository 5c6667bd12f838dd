// The prior: sampling starts from independent normals although x_T still remembers x₀. In the log chart, with
// m and C the mean image and covariance of the data there, ȳ and σ_d their mean and deviation over all d
// coordinates,
//   y_T = y₀ + s Z,   p_T ≈ N(m, C + s² I),   prior q = N(ȳ, v I),   v = σ_d² + s²
//   KL(p_T ‖ q) = ½ [ (tr(C + s² I) + |m − ȳ|²)/v − d + d ln v − ln det(C + s² I) ]
// where the fraction is d, because tr C + |m − ȳ|² = d σ_d². That leaves
//   KL(p_T ‖ q) = ½ [ d ln(σ_d² + s²) − ln det(C + s² I) ]
// and the same with tr C/d for σ_d² when the prior is given the mean image. For images this is a lower bound:
// q sees only moments, so the true divergence is this plus KL(p_T ‖ N(m, C + s² I)).
// What it does to samples: along a direction of variance λ the probability flow of N(m, C) shrinks y − m by
// √(λ/(λ + s²)), so from the prior that direction comes out √(v/(λ + s²)) times as wide as in the data.
//
// Read first: diffusion/exact.h, for the mixture on which samples are judged.
#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/embedding.h"
#include "diffusion/exact.h"
#include "experiments/data/dataset.h"
#include "experiments/studies/study.h"
#include "tensor/cpu/blas.h"

namespace dale {
namespace {

constexpr double paper_s = 0.8;
constexpr double ratios[] = {2, 6, 12, 20, 40, 80};  // s(T)/σ_d, beside the paper's own
constexpr int steps = 20;

/// What is not known of a problem is NaN.
struct Row {
  std::string problem;
  double ratio, s, kl;                          // s/σ_d, s, KL(p_T ‖ q)
  double kl_mean_image = NAN, widest = NAN;     // images: KL with m in q; width of the widest direction
  double distance = NAN, distance_exact = NAN;  // mixture: samples to the truth, started from q and from p_T
};

/// s at the ratios and the paper's, ascending.
std::vector<double> levels_for(double deviation) {
  std::vector<double> all{paper_s};
  for (double r : ratios) all.push_back(r * deviation);
  std::sort(all.begin(), all.end());
  return all;
}

// ---- Images -----------------------------------------------------------------------------------------------

/// Of the first data set found; none when there is none.
std::vector<Row> on_images(const StudyOptions& o) {
  for (const char* name : {"fashion-mnist", "mnist"}) {
    if (!find_dataset(name, o.data)) continue;
    const Tensor pixels = load_dataset(name, o.data).images;
    const Index n = std::min<Index>(pixels.dim(0), o.quick ? 500 : 5000);
    const Var y = log(Embedding{}.embed(pixels.slice(0, 0, n).reshape({n, -1})));
    const Var centred = y - mean(y, {0});
    const Tensor C = (matmul(centred, centred, true) / static_cast<real>(n)).value();
    std::vector<double> matrix = doubles(C), lambda(static_cast<std::size_t>(C.dim(0)));
    blas::require();
    blas::eigen(C.dim(0), matrix.data(), lambda.data());  // ascending: ln det(C + s² I) = Σ ln(λ + s²)
    const double d = static_cast<double>(C.dim(0)), widest = std::sqrt(lambda.back());
    const double deviation = Edm::fitted(y.value()).deviation;       // σ_d
    const double around_m = Edm::fitted(centred.value()).deviation;  // √(tr C/d)
    std::vector<Row> rows;
    for (double s : levels_for(deviation)) {
      const double root = scalar::hypot(deviation, s);  // √v
      double half = 0;                                  // ½ ln det(C + s² I)
      for (double l : lambda) half += scalar::log(l + s * s) / 2;
      rows.push_back({name, s / deviation, s, d * scalar::log(root) - half,
                      d * scalar::log(scalar::hypot(around_m, s)) - half, root / scalar::hypot(widest, s)});
    }
    return rows;
  }
  return {};
}

// ---- The mixture: exact scores, particles at quantiles ----------------------------------------------------

/// ln p_s(y) in double.
double log_density(const Mixture& p, double y, double s) {
  double density = 0;
  for (std::size_t k = 0; k < p.weights.size(); ++k) {
    const double width = scalar::hypot(p.deviations[k], s), z = (y - p.means[k][0]) / width;
    density += p.weights[k] * scalar::exp(-z * z / 2) / width;
  }
  return scalar::log(density);  // + ½ ln 2π, which differences lose
}

std::vector<Row> on_mixture(Index particles) {
  const Mixture p = Mixture::narrow();
  double mean = 0, second = 0;
  for (std::size_t k = 0; k < p.weights.size(); ++k) {
    mean += p.weights[k] * p.means[k][0];
    second += p.weights[k] * (p.means[k][0] * p.means[k][0] + p.deviations[k] * p.deviations[k]);
  }
  const double deviation = std::sqrt(second - mean * mean);
  const Mixture fitted{{1}, {{mean}}, {deviation}};  // at level s it is q
  const std::vector<double> truth = p.quantiles(particles, 0);
  std::vector<Row> rows;
  for (double s : levels_for(deviation)) {
    const std::vector<double> exact = p.quantiles(particles, s);
    Row row{"mixture", s / deviation, s, 0};
    for (double y : exact)
      row.kl += (log_density(p, y, s) - log_density(fitted, y, s)) / static_cast<double>(particles);
    if (4 * s <
        scalar::log(std::numeric_limits<float>::max())) {  // beyond, edm_levels refuses: x leaves float
      const auto sampled = [&](const std::vector<double>& start) {
        const Var end = heun(p.denoiser(), column(start), edm_levels(steps, 0.002, s));
        return wasserstein(doubles(end.value()), truth);
      };
      row.distance = sampled(fitted.quantiles(particles, s));
      row.distance_exact = sampled(exact);
    }
    rows.push_back(row);
  }
  return rows;
}

// ---- What was found ---------------------------------------------------------------------------------------

std::string csv(const std::vector<Row>& rows) {
  const auto cell = [](double v) { return std::isnan(v) ? std::string() : fmt::format("{:.6g}", v); };
  std::string out =
      "problem,s_over_sigma,s,kl_nats,kl_nats_mean_image,width_of_widest,distance,distance_from_p_T\n";
  for (const Row& r : rows)
    out += fmt::format("{},{:.4g},{:.6g},{:.6g},{},{},{},{}\n", r.problem, r.ratio, r.s, r.kl,
                       cell(r.kl_mean_image), cell(r.widest), cell(r.distance), cell(r.distance_exact));
  return out;
}

Series curve(const std::string& name, const std::vector<Row>& rows, double Row::*value) {
  Series out{name, {}, {}, Mark::marked_line};
  for (const Row& r : rows) out.add(r.ratio, r.*value);
  return out;
}

/// The row of a ratio, or of what else `column` tells.
const Row& at(const std::vector<Row>& rows, double value, double Row::*column = &Row::ratio) {
  const auto is = [&](const Row& r) { return std::abs(r.*column - value) < 1e-6; };
  return *std::find_if(rows.begin(), rows.end(), is);
}

std::string of_images(const std::vector<Row>& rows) {
  if (rows.empty()) return "No images were found, so only the mixture was measured. ";
  const Row &paper = at(rows, paper_s, &Row::s), &far = at(rows, 40);
  return fmt::format(
      "At the paper's s(T) = 0.8, {:.1f} σ_d on {}, means and covariances alone set x_T and its prior "
      "{:.1f} nats apart ({:.1f} if the prior is given the mean image); at 12 σ_d {:.2f}, at 20 σ_d {:.2f}, "
      "at 40 σ_d {:.2f}. In a normal model of the images, the direction that varies most comes out {:.2f} "
      "times as wide as it is when sampling starts at 0.8, and {:.2f} times from 40 σ_d. ",
      paper.ratio, paper.problem, paper.kl, paper.kl_mean_image, at(rows, 12).kl, at(rows, 20).kl, far.kl,
      paper.widest, far.widest);
}

std::string of_mixture(const std::vector<Row>& rows) {
  const Row &near = at(rows, 2), &paper = at(rows, paper_s, &Row::s), &far = at(rows, 40);
  return fmt::format(
      "In one dimension no pixels are correlated: on the mixture the divergence at 0.8 is {:.0e} nats, and "
      "{} steps of Heun's rule from the prior end {:.5f} from the truth, from the exact p_T {:.5f} (at 2 σ_d "
      "{:.5f} and {:.5f}). With the same steps from 40 σ_d the distance is {:.5f}.",
      paper.kl, steps, paper.distance, paper.distance_exact, near.distance, near.distance_exact,
      far.distance);
}

}  // namespace

std::string study_prior(const StudyOptions& o) {
  make_folder(o.out);
  const std::vector<Row> images = on_images(o), mixture = on_mixture(o.quick ? 500 : 4000);
  std::vector<Row> all = images;
  all.insert(all.end(), mixture.begin(), mixture.end());
  write_file(o.out / "prior.csv", csv(all));

  std::vector<Series> divergences{curve("mixture, 1 dimension", mixture, &Row::kl)};
  if (!images.empty()) {
    divergences.push_back(curve(images[0].problem, images, &Row::kl));
    divergences.push_back(curve("with the mean image", images, &Row::kl_mean_image));
  }
  const std::string ratio = "s(T) / σ_d";
  const std::string title = fmt::format("Samples of the mixture, {} steps of Heun's rule", steps);
  return "<h2>The prior from which sampling starts</h2>\n<p>" + of_images(images) + of_mixture(mixture) +
         "</p>\n" +
         figure(o.out / "prior.svg",
                plot({"x_T against the prior", ratio, "KL divergence, nats", true, true}, divergences)) +
         figure(o.out / "prior-samples.svg",
                plot({title, ratio, "Wasserstein-1 in log x", true, true},
                     {curve("from the prior", mixture, &Row::distance),
                      curve("from the exact p_T", mixture, &Row::distance_exact)}));
}

}  // namespace dale
