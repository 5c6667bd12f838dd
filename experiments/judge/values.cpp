#include "experiments/judge/values.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "diffusion/exact.h"
#include "experiments/judge/evaluate.h"
#include "tensor/check.h"
#include "tensor/scalar.h"

namespace dale {
namespace {

constexpr Index most_in_kernel = 1000;

std::vector<double> ascending(const Tensor& x) {
  const std::vector<real> values = x.to_vector();
  std::vector<double> all(values.begin(), values.end());
  for (double v : all)  // before they are sorted, which a NaN would not survive
    if (!std::isfinite(v)) invalid("[values_of] a value is {}; expected finite ones", v);
  std::sort(all.begin(), all.end());
  return all;
}

using Complex = std::complex<double>;

/// e^{−2πi j/n}, j = 0 … n − 1.
std::vector<Complex> roots(Index n) {
  std::vector<Complex> all;
  for (Index j = 0; j < n; ++j) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
    all.emplace_back(scalar::cos(angle), -scalar::sin(angle));
  }
  return all;
}

/// P(k): rows first, then columns.
std::vector<double> radial_spectrum(const Tensor& images, double least) {
  const Index H = images.dim(2), W = images.dim(3), pixels = H * W, most = std::min(H, W) / 2;
  const std::vector<Complex> down = roots(H), right = roots(W);
  std::vector<double> power(most + 1), waves(most + 1), x(pixels);
  std::vector<Complex> rows(pixels);
  const std::vector<real> values = images.to_vector();
  for (Index first = 0; first < images.size(); first += pixels) {
    double mean = 0;
    for (Index i = 0; i < pixels; ++i) {
      x[i] = scalar::log(std::max(static_cast<double>(values[first + i]), least));
      mean += x[i] / static_cast<double>(pixels);
    }
    for (Index i = 0; i < H; ++i)
      for (Index v = 0; v < W; ++v) {
        Complex sum = 0;
        for (Index j = 0; j < W; ++j) sum += (x[i * W + j] - mean) * right[v * j % W];
        rows[i * W + v] = sum;
      }
    for (Index u = 0; u < H; ++u)
      for (Index v = 0; v < W; ++v) {
        const double k =
            scalar::hypot(static_cast<double>(std::min(u, H - u)), static_cast<double>(std::min(v, W - v)));
        const Index ring = static_cast<Index>(k + 0.5);
        if (ring < 1 || ring > most) continue;
        Complex sum = 0;
        for (Index i = 0; i < H; ++i) sum += down[u * i % H] * rows[i * W + v];
        power[ring] += std::norm(sum) / static_cast<double>(pixels);
        waves[ring] += 1;
      }
  }
  for (Index k = 1; k <= most; ++k) power[k] /= waves[k];
  return {power.begin() + 1, power.end()};
}

}  // namespace

double least_positive(const Tensor& test) {
  double least = std::numeric_limits<double>::infinity();
  for (real v : test.to_vector())
    if (v > 0) least = std::min(least, static_cast<double>(v));
  if (!std::isfinite(least)) invalid("[values_of] no test image has a value above 0");
  return least;
}

ValueSummary values_of(const Tensor& images, double least) {
  if (images.rank() != 4 || images.size() == 0)
    invalid("[values_of] images {}: expected some, (N,C,H,W)", str(images.shape()));
  const std::vector<double> all = ascending(images);
  ValueSummary v{};
  v.not_positive = static_cast<double>(std::upper_bound(all.begin(), all.end(), 0.0) - all.begin()) /
                   static_cast<double>(all.size());
  for (double q : quantile_levels) v.quantiles.push_back(quantile(all, q));
  constexpr int parts = 1000;
  for (int i = 0; i < parts; ++i)
    v.logarithms.push_back(scalar::log(std::max(quantile(all, (i + 0.5) / parts), least)));
  v.spectrum = radial_spectrum(images, least);
  return v;
}

double log_distance(const ValueSummary& a, const ValueSummary& b) {
  return wasserstein(a.logarithms, b.logarithms);
}

ValueComparison compare_values(const Tensor& samples, const Tensor& train, const Tensor& test) {
  for (int axis : {1, 2, 3})
    if (samples.rank() != 4 || samples.dim(axis) != test.dim(axis))
      invalid("[values_of] images {} beside {}: expected (N,C,H,W) of one size", str(samples.shape()),
              str(test.shape()));
  const double least = least_positive(test);
  const Index n = samples.dim(0), half = test.dim(0) / 2;
  const Tensor floor = shuffled(train, 0, n);
  const Rows real(shuffled(test, 0, most_in_kernel)), seen(train), near(shuffled(test, 0, half));
  const double within = kernel_within(real);
  const auto kernel = [&](const Tensor& x) {
    return kernel_distance(real, Rows(first_images(x, most_in_kernel)), within);
  };
  const auto neighbours = [&](const Tensor& x) {
    return neighbour_ratio(Rows(first_images(x, most_searched)), seen, near);
  };
  return {values_of(samples, least),
          values_of(floor, least),
          values_of(test, least),
          kernel(samples),
          kernel(floor),
          neighbours(samples),
          neighbours(shuffled(test, half, test.dim(0)))};
}

nlohmann::ordered_json json_of(const ValueComparison& c) {
  nlohmann::ordered_json json{{"quantile_levels", quantile_levels}};
  for (const auto& [name, v] : {std::pair("samples", &c.samples), std::pair("training images", &c.train),
                                std::pair("test images", &c.test)})
    json[name] = {{"share_not_positive", v->not_positive},
                  {"w1_of_the_logarithm", log_distance(*v, c.test)},
                  {"quantiles", v->quantiles},
                  {"spectrum_of_the_logarithm", v->spectrum}};
  json["kernel_distance_of_values"] = {{"value", c.kernel}, {"floor", c.kernel_floor}};
  json["neighbour_ratio_of_values"] = {{"value", c.neighbours}, {"floor", c.neighbours_floor}};
  return json;
}

std::string text_of(const ValueComparison& c) {
  std::string text =
      fmt::format("{:<28}{:>12}{:>18}{:>14}\n", "", "samples", "training images", "test images");
  const auto row = [&](const std::string& name, const auto& number) {
    text += fmt::format("{:<28}{:>12.4g}{:>18.4g}{:>14.4g}\n", name, number(c.samples), number(c.train),
                        number(c.test));
  };
  using Of = const ValueSummary&;
  row("share of values <= 0", [](Of v) { return v.not_positive; });
  for (std::size_t i = 0; i < c.test.quantiles.size(); ++i)
    row(fmt::format("quantile {:g} %", 100 * quantile_levels[i]), [i](Of v) { return v.quantiles[i]; });
  row("W1 of the logarithm", [&](Of v) { return log_distance(v, c.test); });
  for (std::size_t k = 0; k < c.test.spectrum.size(); ++k)
    row(fmt::format("log's power by test's, k = {}", k + 1),
        [&](Of v) { return v.spectrum[k] / c.test.spectrum[k]; });
  text += fmt::format("{:<28}{:>12.4g}{:>18.4g}{:>14}\n", "kernel distance of values", c.kernel,
                      c.kernel_floor, 0);
  text += fmt::format("{:<28}{:>12.4g}{:>18}{:>14.4g}\n", "neighbour ratio of values", c.neighbours, "-",
                      c.neighbours_floor);
  return text;
}

}  // namespace dale
