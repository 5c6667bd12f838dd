// Products and eigenvalues are OpenBLAS's, in double whatever `real` is.
#include "experiments/judge/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/parallel.h"
#include "tensor/draw.h"
#include "tensor/verbs.h"

namespace dale {
namespace {

/// c (rows_a, rows_b) = a bᵀ, row-major: a is rows_a × d, b rows_b × d.
void inner_products(const double* a, Index rows_a, const double* b, Index rows_b, Index d, double* c) {
  blas::product(false, true, rows_a, rows_b, d, a, d, b, d, c, rows_b);
}

/// The eigenvalues, ascending, of a symmetric matrix; its rows become their eigenvectors.
std::vector<double> eigen(std::vector<double>& symmetric, Index d) {
  std::vector<double> values(d);
  blas::eigen(d, symmetric.data(), values.data());
  return values;
}

/// The symmetric square root of a covariance; eigenvalues that rounding made negative count as 0.
std::vector<double> square_root(std::vector<double> covariance, Index d) {
  const std::vector<double> values = eigen(covariance, d);
  std::vector<double> root(covariance.size());
  for (Index k = 0; k < d; ++k) {
    const double* v = &covariance[k * d];
    const double scale = std::sqrt(std::max(0.0, values[k]));
    for (Index i = 0; i < d; ++i)
      for (Index j = 0; j < d; ++j) root[i * d + j] += scale * v[i] * v[j];
  }
  return root;
}

/// Calls body(i, products) for each row i of a, with its inner products with all rows of b, in fixed blocks
/// that threads share.
template <class Body> void each_row(const Rows& a, const Rows& b, const Body& body) {
  constexpr Index block = 64;
  if (a.d != b.d) invalid("[metrics] rows of {} and of {} numbers; expected the same", a.d, b.d);
  blas::require();
  parallel((a.n + block - 1) / block, [&](Index p) {
    const Index first = p * block, rows = std::min(block, a.n - first);
    std::vector<double> products(rows * b.n);
    inner_products(a.row(first), rows, b.values.data(), b.n, a.d, products.data());
    for (Index i = 0; i < rows; ++i) body(first + i, products.data() + i * b.n);
  });
}

std::vector<double> squared_lengths(const Rows& x) {
  std::vector<double> all;
  for (Index i = 0; i < x.n; ++i) all.push_back(std::inner_product(x.row(i), x.row(i) + x.d, x.row(i), 0.0));
  return all;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Σ k(a_i, b_j) over all i and j; over i ≠ j where a is b.
double kernel_sum(const Rows& a, const Rows& b) {
  std::vector<double> sums(a.n);
  each_row(a, b, [&](Index i, const double* products) {
    for (Index j = 0; j < b.n; ++j) {
      const double v = products[j] / static_cast<double>(b.d) + 1;
      if (&a != &b || i != j) sums[i] += v * v * v;
    }
  });
  return sum_of(sums);
}

}  // namespace

Spread spread(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1)) : 0};
}

std::string str(const Spread& v, int digits) {
  return v.deviation > 0 ? fmt::format("{:.{}f} ± {:.{}f}", v.mean, digits, v.deviation, digits)
                         : fmt::format("{:.{}f}", v.mean, digits);
}

Rows::Rows(Index n, Index d, std::vector<double> given) : n(n), d(d), values(std::move(given)) {
  if (n < 0 || d < 1 || static_cast<Index>(values.size()) != n * d)
    invalid("[metrics] {} numbers for {} rows of {}", values.size(), n, d);
}

Rows::Rows(const Tensor& x) : n(x.dim(0)), d(n ? x.size() / n : 1) {
  const std::vector<real> flat = x.to_vector();
  values.assign(flat.begin(), flat.end());
}

void expect_rank(Index n, Index d, const char* what) {
  if (n <= d) invalid("[frechet] {} {}: a covariance of {} features needs at least {}", n, what, d, d + 1);
}

Moments moments(const Rows& x, const char* what) {
  expect_rank(x.n, x.d, what);
  blas::require();
  const Index n = x.n, d = x.d;
  Moments m{std::vector<double>(d), std::vector<double>(d * d)};
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < d; ++j) m.mean[j] += x.row(i)[j] / static_cast<double>(n);
  std::vector<double> columns(d * n);  // centred, transposed
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < d; ++j) columns[j * n + i] = x.row(i)[j] - m.mean[j];
  inner_products(columns.data(), d, columns.data(), d, n, m.covariance.data());
  for (double& v : m.covariance) v /= static_cast<double>(n - 1);
  return m;
}

double frechet_distance(const Moments& a, const Moments& b) {
  const Index d = std::ssize(a.mean);
  if (d != std::ssize(b.mean)) invalid("[frechet] {} and {} features; expected as many", d, b.mean.size());
  const std::vector<double> root = square_root(a.covariance, d);
  std::vector<double> half(d * d), product(d * d);  // root, b and their products are symmetric
  inner_products(root.data(), d, b.covariance.data(), d, d, half.data());
  inner_products(half.data(), d, root.data(), d, d, product.data());
  for (Index i = 0; i < d; ++i)
    for (Index j = 0; j < i; ++j)
      product[i * d + j] = product[j * d + i] = (product[i * d + j] + product[j * d + i]) / 2;
  double distance = 0;
  for (Index i = 0; i < d; ++i) {
    distance += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
    distance += a.covariance[i * d + i] + b.covariance[i * d + i];
  }
  for (double v : eigen(product, d)) distance -= 2 * std::sqrt(std::max(0.0, v));
  return distance;
}

double kernel_within(const Rows& x) {
  if (x.n < 2) invalid("[kernel distance] {} images: expected at least 2", x.n);
  return kernel_sum(x, x) / (static_cast<double>(x.n) * static_cast<double>(x.n - 1));
}

double kernel_distance(const Rows& real, const Rows& fake, double within_real) {
  const double within_fake = kernel_within(fake);
  return within_real + within_fake -
         2 * kernel_sum(fake, real) / (static_cast<double>(real.n) * static_cast<double>(fake.n));
}

DensityCoverage density_coverage(const Rows& real, const Rows& fake, Index k) {
  if (real.n <= k)
    invalid("[coverage] {} real images: neighbourhoods of {} need at least {}", real.n, k, k + 1);
  const std::vector<double> real2 = squared_lengths(real), fake2 = squared_lengths(fake);
  std::vector<double> inside(real.n), radius(real.n);  // radii squared
  each_row(real, real, [&](Index i, const double* products) {
    std::vector<double> to;
    for (Index j = 0; j < real.n; ++j)
      if (j != i) to.push_back(real2[i] + real2[j] - 2 * products[j]);
    std::nth_element(to.begin(), to.begin() + (k - 1), to.end());
    radius[i] = to[k - 1];
  });
  each_row(real, fake, [&](Index i, const double* products) {
    for (Index j = 0; j < fake.n; ++j) inside[i] += real2[i] + fake2[j] - 2 * products[j] < radius[i];
  });
  double covered = 0;
  for (double v : inside) covered += v > 0;
  return {sum_of(inside) / static_cast<double>(k * fake.n), covered / static_cast<double>(real.n)};
}

Neighbours nearest(const Rows& x, const Rows& y) {
  if (y.n < 1) invalid("[nearest] there are no images to search");
  const std::vector<double> y2 = squared_lengths(y);
  Neighbours found{std::vector<Index>(x.n), std::vector<double>(x.n)};
  each_row(x, y, [&](Index i, const double* products) {
    Index best = 0;
    for (Index j = 1; j < y.n; ++j)
      if (y2[j] - 2 * products[j] < y2[best] - 2 * products[best]) best = j;
    double sum = 0;  // again from the differences, which do not cancel
    for (Index k = 0; k < x.d; ++k) sum += (x.row(i)[k] - y.row(best)[k]) * (x.row(i)[k] - y.row(best)[k]);
    found.index[i] = best;
    found.distance[i] = std::sqrt(sum);
  });
  return found;
}

double neighbour_ratio(const Rows& x, const Rows& a, const Rows& b) {
  const Neighbours to_a = nearest(x, a), to_b = nearest(x, b);
  double sum = 0;
  for (std::size_t i = 0; i < to_a.distance.size(); ++i)
    sum += to_a.distance[i] / std::max(1e-12, to_b.distance[i]);
  return sum / static_cast<double>(x.n);
}

Tensor shuffled(const Tensor& x, Index first, Index count) {
  const std::vector<std::int32_t> order = permutation(Key{7}, x.dim(0));
  count = std::min(count, x.dim(0) - first);
  return raw::gather(x, IntTensor({count}, {order.begin() + first, order.begin() + first + count}));
}

}  // namespace dale
