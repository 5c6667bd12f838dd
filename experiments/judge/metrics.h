// Distances between two sets of pictures, each picture a row of features, all in double.
//
//   Fréchet   |m₁ − m₂|² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½)      of normals with these moments
//             (Dowson & Landau 1982; of network features, Heusel et al. 2017)
//   kernel    the unbiased estimate of MMD² with k(a,b) = (a·b/d + 1)³        (Bińkowski et al. 2018)
//   density, coverage   with balls round the real rows that reach to their k-th neighbour: fakes a ball,
//             over k; the share of balls with a fake in them                    (Naeem et al. 2020)
//
// The first is biased upwards by few samples, so it means something only beside what as many real pictures
// give: the floor (evaluate.h).
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

/// Mean and standard deviation (0 of one value) of some values.
struct Spread {
  double mean, deviation;
};
Spread spread(const std::vector<double>& values);
/// "23.4 ± 1.8", or "23.4" without a deviation.
std::string str(const Spread& spread, int digits);

/// n rows of d numbers.
struct Rows {
  Index n, d;
  std::vector<double> values;

  Rows(Index n, Index d, std::vector<double> values);
  /// Each x[i] of x (N,…) flattened.
  explicit Rows(const Tensor& x);
  const double* row(Index i) const { return values.data() + i * d; }
};

/// Throws std::invalid_argument for n ≤ d rows of d features, whose covariance has not full rank: how many
/// there are of `what`, and how many are needed.
void expect_rank(Index n, Index d, const char* what);

/// Mean (d) and covariance (d,d), the sum over n − 1. Throws as expect_rank.
struct Moments {
  std::vector<double> mean, covariance;
};
Moments moments(const Rows& x, const char* what = "images");

/// Fréchet distance, squared as is the custom. Throws std::invalid_argument when the dimensions differ.
double frechet_distance(const Moments& a, const Moments& b);

/// Σ_{i≠j} k(x_i, x_j) / (n (n − 1)): the part of the kernel distance that one set has alone.
double kernel_within(const Rows& x);
/// within_real + within_fake − 2 mean k(real, fake); may be negative, as an unbiased estimate of 0 must.
/// Throws std::invalid_argument for fewer than two rows.
double kernel_distance(const Rows& real, const Rows& fake, double within_real);

struct DensityCoverage {
  double density, coverage;
};
/// Throws std::invalid_argument unless there are more than k real rows.
DensityCoverage density_coverage(const Rows& real, const Rows& fake, Index k = 5);

/// The nearest row of y for each row of x, and the Euclidean distance to it.
struct Neighbours {
  std::vector<Index> index;
  std::vector<double> distance;
};
Neighbours nearest(const Rows& x, const Rows& y);
/// Mean over the rows of x of d(x, nearest of a) / d(x, nearest of b).
double neighbour_ratio(const Rows& x, const Rows& a, const Rows& b);

/// `count` rows of x (N,…) in an order of chance that is always the same, from the `first`: the files are not
/// in one (half of MNIST's test images are the cleaner half). All there are where there are fewer.
Tensor shuffled(const Tensor& x, Index first, Index count);

}  // namespace dale
