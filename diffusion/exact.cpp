#include "diffusion/exact.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dale {

Denoiser LogNormal::denoiser() const {
  return [p = *this](const Var& y, double s) {
    const double total = p.v + s * s;
    return y * (p.v / total) + (s * s * p.a / total);
  };
}

double LogNormal::variance_after(const Steps& steps) const {
  // With (IV.6) a step is y ← a + A (y − a) + noise Z,  A = keep + (1 − keep) v/(v + s²).
  double variance = v + steps.at(0).s * steps.at(0).s;
  for (const Step& step : steps) {
    const double A = step.keep + (1 - step.keep) * v / (v + step.s * step.s);
    variance = A * A * variance + step.noise * step.noise;
  }
  return variance;
}

Mixture Mixture::narrow() { return {{0.5, 0.2, 0.3}, {{0.02}, {0.35}, {0.66}}, {0.02, 0.08, 0.03}}; }

Mixture Mixture::in_dimension(Index d) {
  Mixture p{{0.5, 0.3, 0.2}, {}, {0.1, 0.2, 0.05}};
  for (int k = 0; k < 3; ++k) {
    std::vector<double> mean;
    for (Index i = 0; i < d; ++i)
      mean.push_back(0.35 + 0.3 * scalar::cos(2.1 * k + 1.3 * static_cast<double>(i)));
    p.means.push_back(mean);
  }
  return p;
}

Var Mixture::log_joint(const Var& y, double s) const {
  const Index K = static_cast<Index>(weights.size()), d = dimension();
  if (y.rank() != 2 || y.dim(1) != d) invalid("[mixture] y {} must be (N,{})", str(y.shape()), d);
  std::vector<real> centres, precision, constant;
  for (Index k = 0; k < K; ++k) {
    const double variance = deviations[k] * deviations[k] + s * s;
    for (double v : means[k]) centres.push_back(static_cast<real>(v));
    precision.push_back(static_cast<real>(1 / variance));
    constant.push_back(static_cast<real>(
        scalar::log(weights[k]) - static_cast<double>(d) / 2 * scalar::log(2 * std::numbers::pi * variance)));
  }
  const Var difference = reshape(y, {y.dim(0), 1, d}) - Var(Tensor({1, K, d}, centres, y.device()));
  return -0.5 * sum(square(difference), {2}) * Var(Tensor({1, K}, precision, y.device())) +
         Var(Tensor({1, K}, constant, y.device()));
}

Var Mixture::log_density(const Var& y, double s) const { return logsumexp(log_joint(y, s), {1}); }

Var Mixture::mean(const Var& y, double s) const {
  const Var r = softmax(log_joint(y, s), 1);
  std::vector<real> keep, pull;  // v_k/(v_k + s²) (K,1) and s² μ_k/(v_k + s²) (K,d)
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const double v = deviations[k] * deviations[k];
    keep.push_back(static_cast<real>(v / (v + s * s)));
    for (double m : means[k]) pull.push_back(static_cast<real>(s * s * m / (v + s * s)));
  }
  const Index K = static_cast<Index>(weights.size());
  return matmul(r, Tensor({K, 1}, keep, y.device())) * y +
         matmul(r, Tensor({K, dimension()}, pull, y.device()));
}

Tensor Mixture::draw(Index n, Key key) const {
  const std::vector<real> u = uniform(key.split(0), {n}).to_vector(),
                          z = normal(key.split(1), {n, dimension()}).to_vector();
  std::vector<real> y;
  for (std::size_t i = 0; i < u.size(); ++i) {
    std::size_t k = 0;
    for (double left = static_cast<double>(u[i]); k + 1 < weights.size() && (left -= weights[k]) >= 0;) ++k;
    for (std::size_t j = 0; j < means[k].size(); ++j)
      y.push_back(static_cast<real>(means[k][j] + deviations[k] * z[i * means[k].size() + j]));
  }
  return Tensor({n, dimension()}, y);
}

std::vector<double> Mixture::quantiles(Index n, double s) const {
  if (dimension() != 1) invalid("[mixture] quantiles are of one dimension, this has {}", dimension());
  const auto cdf = [&](double y) {
    double total = 0;
    for (std::size_t k = 0; k < weights.size(); ++k)
      total += weights[k] / 2 *
               (1 + scalar::erf((y - means[k][0]) / (scalar::hypot(deviations[k], s) * std::numbers::sqrt2)));
    return total;
  };
  double low = means[0][0], high = low;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    low = std::min(low, means[k][0] - 10 * scalar::hypot(deviations[k], s));
    high = std::max(high, means[k][0] + 10 * scalar::hypot(deviations[k], s));
  }
  std::vector<double> out;
  for (Index i = 0; i < n; ++i) {
    double a = out.empty() ? low : out.back(), b = high;
    for (int halving = 0; halving < 60; ++halving) {
      const double middle = (a + b) / 2;
      (cdf(middle) * static_cast<double>(n) < static_cast<double>(i) + 0.5 ? a : b) = middle;
    }
    out.push_back((a + b) / 2);
  }
  return out;
}

double wasserstein(std::vector<double> a, std::vector<double> b) {
  if (a.size() != b.size() || a.empty())
    invalid("[wasserstein] samples of {} and {} values: one size is needed", a.size(), b.size());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += std::abs(a[i] - b[i]);
  return total / static_cast<double>(a.size());
}

double quantile(const std::vector<double>& ascending, double q) {
  return ascending[static_cast<std::size_t>(q * static_cast<double>(ascending.size() - 1) + 0.5)];
}

double sliced_wasserstein(const Tensor& a, const Tensor& b, int directions, Key key) {
  double total = 0;
  for (int k = 0; k < directions; ++k) {
    const Var v = normal(key.split(static_cast<std::uint64_t>(k)), {a.dim(1), 1});
    const auto along = [&](const Tensor& x) {
      const std::vector<real> p = matmul(x, v / norm(v)).value().to_vector();
      return std::vector<double>(p.begin(), p.end());
    };
    total += wasserstein(along(a), along(b)) / directions;
  }
  return total;
}

Tensor spirals(Index n, Key key) {
  const std::vector<real> u = uniform(key.split(0), {n, 2}).to_vector(),
                          z = normal(key.split(1), {n, 2}).to_vector();
  std::vector<real> points;
  for (Index i = 0; i < n; ++i) {
    const double along = std::sqrt(static_cast<double>(u[2 * i])), radius = 0.4 + 3 * along;
    const double arm = u[2 * i + 1] < 0.5 ? 0 : std::numbers::pi;
    const double angle = 1.5 * 2 * std::numbers::pi * along + arm;
    points.push_back(static_cast<real>(5 + radius * scalar::cos(angle) + 0.06 * z[2 * i]));
    points.push_back(static_cast<real>(5 + radius * scalar::sin(angle) + 0.06 * z[2 * i + 1]));
  }
  return Tensor({n, 2}, points);
}

}  // namespace dale
