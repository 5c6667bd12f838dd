// What needs no classifier: how the values of images are distributed, and at which scales their logarithm
// varies. With F the Fourier transform of the logarithm of an H × W image, its mean taken off,
//   P(k) = mean of |F(u, v)|²/(HW) over images and over all u, v with |(u, v)| nearest to k waves a side
// Logarithms are of max(value, the least positive value of the test images).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

inline constexpr double quantile_levels[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};

struct ValueSummary {
  double not_positive;            // share of values ≤ 0
  std::vector<double> quantiles;  // at quantile_levels
  std::vector<double> spectrum;   // P(1) … P(min(H, W)/2)
  double log_distance;            // W₁ between its logarithms and the test images'
};

/// Of images (N,C,H,W), beside test images of their size. Throws std::invalid_argument where a set is
/// empty, sizes differ, or no test image has a positive value.
ValueSummary values_of(const Tensor& images, const Tensor& test);

/// Samples, and beside them training images in their place, which is the floor, and the test images.
struct ValueComparison {
  ValueSummary samples, train, test;
};
ValueComparison compare_values(const Tensor& samples, const Tensor& train, const Tensor& test);
nlohmann::ordered_json json_of(const ValueComparison& comparison);
/// A table for the terminal.
std::string text_of(const ValueComparison& comparison);

/// The element of ascending values below which a share q of them lies. REQUIRES one at least.
double quantile(const std::vector<double>& ascending, double q);

}  // namespace dale
