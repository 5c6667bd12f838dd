#include "experiments/judge/values.h"

#include <algorithm>
#include <cmath>
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

/// cos and sin of 2π uj/n, row after row of u.
struct Waves {
  std::vector<double> cosine, sine;

  explicit Waves(Index n) {
    for (Index u = 0; u < n; ++u)
      for (Index j = 0; j < n; ++j) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(u * j % n) / static_cast<double>(n);
        cosine.push_back(scalar::cos(angle));
        sine.push_back(scalar::sin(angle));
      }
  }
};

/// P(k): rows first, then columns.
std::vector<double> radial_spectrum(const Tensor& images, double least) {
  const Index H = images.dim(2), W = images.dim(3), pixels = H * W, most = std::min(H, W) / 2;
  const Waves down(H), right(W);
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  std::vector<double> power(at(most + 1)), waves(at(most + 1)), x(at(pixels)), re(at(pixels)), im(at(pixels));
  const std::vector<real> values = images.to_vector();
  for (Index first = 0; first < images.size(); first += pixels) {
    double mean = 0;
    for (Index i = 0; i < pixels; ++i) {
      x[at(i)] = scalar::log(std::max(static_cast<double>(values[at(first + i)]), least));
      mean += x[at(i)] / static_cast<double>(pixels);
    }
    for (Index i = 0; i < H; ++i)
      for (Index v = 0; v < W; ++v) {
        double a = 0, b = 0;
        for (Index j = 0; j < W; ++j) {
          a += (x[at(i * W + j)] - mean) * right.cosine[at(v * W + j)];
          b -= (x[at(i * W + j)] - mean) * right.sine[at(v * W + j)];
        }
        re[at(i * W + v)] = a;
        im[at(i * W + v)] = b;
      }
    for (Index u = 0; u < H; ++u)
      for (Index v = 0; v < W; ++v) {
        const double k =
            scalar::hypot(static_cast<double>(std::min(u, H - u)), static_cast<double>(std::min(v, W - v)));
        const Index ring = static_cast<Index>(k + 0.5);
        if (ring < 1 || ring > most) continue;
        double a = 0, b = 0;
        for (Index i = 0; i < H; ++i) {
          const double c = down.cosine[at(u * H + i)], s = down.sine[at(u * H + i)];
          a += c * re[at(i * W + v)] + s * im[at(i * W + v)];
          b += c * im[at(i * W + v)] - s * re[at(i * W + v)];
        }
        power[at(ring)] += (a * a + b * b) / static_cast<double>(pixels);
        waves[at(ring)] += 1;
      }
  }
  std::vector<double> spectrum;
  for (Index k = 1; k <= most; ++k) spectrum.push_back(power[at(k)] / waves[at(k)]);
  return spectrum;
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
  const auto row = [](const std::string& name, double sample, double train, double test) {
    return fmt::format("{:<28}{:>12.4g}{:>18.4g}{:>14.4g}\n", name, sample, train, test);
  };
  std::string text =
      fmt::format("{:<28}{:>12}{:>18}{:>14}\n", "", "samples", "training images", "test images");
  text += row("share of values <= 0", c.samples.not_positive, c.train.not_positive, c.test.not_positive);
  for (std::size_t i = 0; i < c.test.quantiles.size(); ++i)
    text += row(fmt::format("quantile {:g} %", 100 * quantile_levels[i]), c.samples.quantiles[i],
                c.train.quantiles[i], c.test.quantiles[i]);
  text += row("W1 of the logarithm", log_distance(c.samples, c.test), log_distance(c.train, c.test), 0);
  for (std::size_t k = 0; k < c.test.spectrum.size(); ++k)
    text += row(fmt::format("log's power by test's, k = {}", k + 1),
                c.samples.spectrum[k] / c.test.spectrum[k], c.train.spectrum[k] / c.test.spectrum[k], 1);
  text += row("kernel distance of values", c.kernel, c.kernel_floor, 0);
  text += fmt::format("{:<28}{:>12.4g}{:>18}{:>14.4g}\n", "neighbour ratio of values", c.neighbours, "-",
                      c.neighbours_floor);
  return text;
}

}  // namespace dale
