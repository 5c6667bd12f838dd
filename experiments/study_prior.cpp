// The prior: sampling starts from independent normals although x_T still remembers x₀. In the log chart, with m and C the
// mean image and covariance of the data there, ȳ and σ_d their mean and deviation over all d coordinates,
//   y_T = y₀ + s Z,   p_T ≈ N(m, C + s² I),   prior q = N(ȳ, v I),   v = σ_d² + s²
//   KL(p_T ‖ q) = ½ [ (tr(C + s² I) + |m − ȳ|²)/v − d + d ln v − ln det(C + s² I) ]
// where the fraction is d, because tr C + |m − ȳ|² = d σ_d². That leaves
//   KL(p_T ‖ q) = ½ [ d ln(σ_d² + s²) − ln det(C + s² I) ]
// and the same with tr C/d for σ_d² when the prior is given the mean image. For images this is a lower bound: q sees only
// moments, so the true divergence is this plus KL(p_T ‖ N(m, C + s² I)).
// What it does to samples: along a direction of variance λ the probability flow of N(m, C) shrinks y − m by √(λ/(λ + s²)),
// so from the prior that direction comes out √(v/(λ + s²)) times as wide as in the data.
//
// Read first: diffusion/exact.h, for the mixture on which samples are judged.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "diffusion/exact.h"
#include "experiments/dataset.h"
#include "experiments/figure.h"
#include "experiments/study.h"
#include "tensor/cpu/parallel.h"
#include "tensor/file.h"

namespace dale {
namespace {

constexpr double paper_s = 0.8;
constexpr double ratios[] = {2, 6, 12, 20, 40, 80};  // s(T)/σ_d, beside the paper's own
constexpr int steps = 20;

/// What is not known of a problem is NaN.
struct Row {
  std::string problem;
  double ratio, s, kl;  // s/σ_d, s, KL(p_T ‖ q)
  double kl_mean_image = NAN,
         widest = NAN;  // images: KL with the mean image in q; width of the widest direction
  double distance = NAN,
         distance_exact = NAN;  // mixture: of samples to the truth, started from q and from p_T
};

/// The ratios and the paper's, ascending.
std::vector<double> all_ratios(double deviation) {
  std::vector<double> all(std::begin(ratios), std::end(ratios));
  all.push_back(paper_s / deviation);
  std::sort(all.begin(), all.end());
  return all;
}

// ---- Images: first and second moments in double

struct Moments {
  std::size_t d;
  double deviation, noise;         // σ_d, √(tr C/d)
  std::vector<double> covariance;  // C (d,d)
};

Moments moments_of(const Tensor& y) {
  const std::size_t n = static_cast<std::size_t>(y.dim(0)), d = static_cast<std::size_t>(y.size()) / n;
  const std::vector<real> flat = y.to_vector();
  std::vector<double> centred(n * d), means(d), C(d * d);  // centred (d,n): a pixel's values lie together
  double mean = 0, trace = 0, shift = 0;                   // ȳ, tr C, |m − ȳ|²
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t k = 0; k < n; ++k)
      means[i] += static_cast<double>(flat[k * d + i]) / static_cast<double>(n);
    for (std::size_t k = 0; k < n; ++k) centred[i * n + k] = static_cast<double>(flat[k * d + i]) - means[i];
    mean += means[i] / static_cast<double>(d);
  }
  parallel(static_cast<Index>(d), [&](Index row) {
    const std::size_t i = static_cast<std::size_t>(row);
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) sum += centred[i * n + k] * centred[j * n + k];
      C[i * d + j] = C[j * d + i] = sum / static_cast<double>(n);
    }
  });
  for (std::size_t i = 0; i < d; ++i) {
    trace += C[i * d + i];
    shift += (means[i] - mean) * (means[i] - mean);
  }
  return {d, std::sqrt((trace + shift) / static_cast<double>(d)), std::sqrt(trace / static_cast<double>(d)),
          std::move(C)};
}

/// ln det(C + s² I) = 2 Σ ln L_ii of the Cholesky factor, C + s² I = L Lᵀ. REQUIRES s > 0.
double log_det(const Moments& m, double s) {
  std::vector<double> L = m.covariance;
  double sum = 0;
  for (std::size_t i = 0; i < m.d; ++i) {
    double* a = &L[i * m.d];
    a[i] += s * s;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* b = &L[j * m.d];
      for (std::size_t k = 0; k < j; ++k) a[j] -= a[k] * b[k];
      a[j] = j < i ? a[j] / b[j] : std::sqrt(a[j]);
    }
    sum += 2 * std::log(a[i]);
  }
  return sum;
}

/// The largest standard deviation of any direction, √(largest eigenvalue of C), by the power method.
double widest(const Moments& m) {
  std::vector<double> v(m.d, 1 / std::sqrt(static_cast<double>(m.d))), w(m.d);
  double length = 0;
  for (int round = 0; round < 50; ++round) {
    double squares = 0;
    for (std::size_t i = 0; i < m.d; ++i) {
      w[i] = 0;
      for (std::size_t j = 0; j < m.d; ++j) w[i] += m.covariance[i * m.d + j] * v[j];
      squares += w[i] * w[i];
    }
    length = std::sqrt(squares);
    for (std::size_t i = 0; i < m.d; ++i) v[i] = w[i] / length;
  }
  return std::sqrt(length);
}

/// Of the first data set found; none when there is none.
std::vector<Row> on_images(const StudyOptions& o) {
  for (const char* name : {"fashion-mnist", "mnist"}) {
    if (!find_dataset(name, o.data)) continue;
    const Tensor pixels = load_dataset(name, o.data).images;
    const Tensor some = pixels.slice(0, 0, std::min<Index>(pixels.dim(0), o.quick ? 500 : 5000));
    const Moments m = moments_of(log(embed_pixels(some)).value());
    const double across = widest(m), d = static_cast<double>(m.d);
    std::vector<Row> rows;
    for (double r : all_ratios(m.deviation)) {
      const double s = r * m.deviation, v = std::hypot(m.deviation, s), own = std::hypot(m.noise, s),
                   entropy = log_det(m, s) / 2;
      rows.push_back(
          {name, r, s, d * std::log(v) - entropy, d * std::log(own) - entropy, v / std::hypot(across, s)});
    }
    return rows;
  }
  return {};
}

// ---- The mixture: exact scores, particles at quantiles

/// Wasserstein-1 in log space between p₀ and Heun's samples from the given start.
double sampled_distance(const Mixture& p, const std::vector<double>& start, double s) {
  const Index n = static_cast<Index>(start.size());
  const Var y = Tensor({n, 1}, {start.begin(), start.end()});
  const std::vector<real> end = heun(p.denoiser(), y, edm_levels(steps, 0.002, s)).value().to_vector();
  return wasserstein({end.begin(), end.end()}, p.quantiles(n, 0));
}

/// KL(p_T ‖ N(mean, deviation²)): the mean of the difference of log-densities over p_T's quantiles.
double divergence_to(const Mixture& p, double s, double mean, double deviation,
                     const std::vector<double>& quantiles) {
  double sum = 0;
  for (double y : quantiles) {
    double density = 0;
    for (std::size_t k = 0; k < p.weights.size(); ++k) {
      const double width = std::hypot(p.deviations[k], s), z = (y - p.means[k][0]) / width;
      density += p.weights[k] * std::exp(-z * z / 2) / width;
    }
    const double z = (y - mean) / deviation;
    sum += std::log(density * deviation) + z * z / 2;
  }
  return sum / static_cast<double>(quantiles.size());
}

std::vector<Row> on_mixture(Index particles) {
  const Mixture p = Mixture::narrow();
  double mean = 0, second = 0;
  for (std::size_t k = 0; k < p.weights.size(); ++k) {
    mean += p.weights[k] * p.means[k][0];
    second += p.weights[k] * (p.means[k][0] * p.means[k][0] + p.deviations[k] * p.deviations[k]);
  }
  const double deviation = std::sqrt(second - mean * mean);
  const Mixture fitted{{1}, {{mean}}, {deviation}};  // q at s = 0; its quantiles at s are the prior's
  std::vector<Row> rows;
  for (double r : all_ratios(deviation)) {
    const double s = r * deviation;
    const std::vector<double> exact = p.quantiles(particles, s);
    Row row{"mixture", r, s, divergence_to(p, s, mean, std::hypot(deviation, s), exact)};
    if (4 * s < std::log(3.4e38)) {  // beyond, x leaves the range of float and edm_levels refuses
      row.distance = sampled_distance(p, fitted.quantiles(particles, s), s);
      row.distance_exact = sampled_distance(p, exact, s);
    }
    rows.push_back(row);
  }
  return rows;
}

// ---- What was found

std::string csv(const std::vector<Row>& rows) {
  const auto cell = [](double v) { return std::isnan(v) ? std::string() : fmt::format("{:.6g}", v); };
  std::string out =
      "problem,s_over_sigma,s,kl_nats,kl_nats_mean_image,width_of_widest,distance,distance_from_p_T\n";
  for (const Row& r : rows)
    out += fmt::format("{},{:.4g},{:.6g},{},{},{},{},{}\n", r.problem, r.ratio, r.s, cell(r.kl),
                       cell(r.kl_mean_image), cell(r.widest), cell(r.distance), cell(r.distance_exact));
  return out;
}

Series curve(const std::string& name, const std::vector<Row>& rows, double Row::*value) {
  Series out{name, {}, {}, Mark::marked_line};
  for (const Row& r : rows) {
    out.x.push_back(r.ratio);
    out.y.push_back(r.*value);
  }
  return out;
}

/// The paper's row, and the first at a ratio or above.
const Row& papers(const std::vector<Row>& rows) {
  return *std::find_if(rows.begin(), rows.end(), [](const Row& r) { return std::abs(r.s - paper_s) < 1e-9; });
}
const Row& from(const std::vector<Row>& rows, double ratio) {
  return *std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.ratio >= ratio; });
}

std::string of_images(const std::vector<Row>& rows) {
  if (rows.empty()) return "No images were found, so only the mixture was measured. ";
  const Row &paper = papers(rows), &far = from(rows, 40);
  return fmt::format(
      "At the paper's s(T) = 0.8, which is {:.1f} σ_d on {}, x_T and its prior are at least {:.1f} nats "
      "apart, {:.1f} if the prior "
      "is given the mean image; at 12 σ_d {:.2f}, at 20 σ_d {:.2f}, at 40 σ_d {:.2f} nats. In a normal model "
      "of the images the "
      "direction that varies most comes out {:.2f} times as wide as it is when sampling starts at 0.8, and "
      "{:.2f} times at 40 σ_d. ",
      paper.ratio, paper.problem, paper.kl, paper.kl_mean_image, from(rows, 12).kl, from(rows, 20).kl, far.kl,
      paper.widest, far.widest);
}

std::string of_mixture(const std::vector<Row>& rows) {
  const Row &near = rows.front(), &paper = papers(rows), &far = from(rows, 40);
  return fmt::format(
      "A single coordinate hides this: on a mixture in one dimension the divergence at 0.8 is {:.1g} nats, "
      "and {} steps of Heun's rule "
      "from the prior end {:.5f} from the truth against {:.5f} from the exact p_T ({:.5f} against {:.5f} at "
      "{:g} σ_d). There a larger "
      "s(T) only spreads the steps thinner: {:.5f} at {:g} σ_d.",
      paper.kl, steps, paper.distance, paper.distance_exact, near.distance, near.distance_exact, near.ratio,
      far.distance, far.ratio);
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
    divergences.insert(divergences.begin(), curve(images[0].problem, images, &Row::kl));
    divergences.insert(divergences.begin() + 1, curve("with the mean image", images, &Row::kl_mean_image));
  }
  const std::string divergence =
      plot({"x_T against the prior", "s(T) / σ_d", "KL divergence, nats", true, true}, divergences);
  const std::string distance = plot({fmt::format("Samples of the mixture, {} steps of Heun's rule", steps),
                                     "s(T) / σ_d", "Wasserstein-1 in log x", true, true},
                                    {curve("from the prior", mixture, &Row::distance),
                                     curve("from the exact p_T", mixture, &Row::distance_exact)});
  write_file(o.out / "prior.svg", divergence);
  write_file(o.out / "prior-samples.svg", distance);
  return "<h2>The prior from which sampling starts</h2>\n<p>" + of_images(images) + of_mixture(mixture) +
         "</p>\n<figure>" + divergence + "</figure>\n<figure>" + distance + "</figure>\n";
}

}  // namespace dale
