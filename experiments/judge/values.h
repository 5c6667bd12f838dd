// What needs no classifier: how the values of images are distributed, and at which scales their logarithm
// varies. With F the Fourier transform of the logarithm of an H × W image, its mean taken off,
//   P(k) = mean of |F(u, v)|²/(HW) over images and over all u, v with |(u, v)| nearest to k waves a side
// Logarithms are of max(value, the least positive value of the test images). Beside them stand a kernel
// distance and neighbours (metrics.h) of the values themselves, which see how far images are from one
// another, and little of what they show.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

inline constexpr double quantile_levels[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};

struct ValueSummary {
  double not_positive;             // share of values ≤ 0
  std::vector<double> quantiles;   // at quantile_levels
  std::vector<double> spectrum;    // P(1) … P(min(H, W)/2)
  std::vector<double> logarithms;  // their quantiles at (i + ½)/1000
};

/// Of images (N,C,H,W), any number of one size, whose logarithms are of max(value, least). Throws
/// std::invalid_argument where there are none or a value is not finite.
ValueSummary values_of(const Tensor& images, double least);
/// Throws std::invalid_argument where there is none.
double least_positive(const Tensor& test);
/// W₁ between the logarithms of two sets.
double log_distance(const ValueSummary& a, const ValueSummary& b);

/// Samples, and beside them training images in their place, which is the floor, and the test images.
struct ValueComparison {
  ValueSummary samples, train, test;
  double kernel, kernel_floor;          // between at most 1,000 images and as many of the test
  double neighbours, neighbours_floor;  // as evaluate.h has them, of at most 256
};
/// `train` are all training images, of which as many as samples are the floor. Throws as values_of, and where
/// sizes differ or there are fewer than two of a kind.
ValueComparison compare_values(const Tensor& samples, const Tensor& train, const Tensor& test);
nlohmann::ordered_json json_of(const ValueComparison& comparison);
/// A table for the terminal.
std::string text_of(const ValueComparison& comparison);

}  // namespace dale
