// How far arrays lie apart. NaN is infinitely far from everything, itself included: std::max(worst, NaN)
// would drop it.
#pragma once

#include <cmath>

#include "autograd/var.h"
#include "tests/catch.h"

namespace dale {

using Values = std::vector<real>;
using Numbers = std::vector<double>;

inline Values values(const Var& x) { return x.value().to_vector(); }
inline Numbers numbers(const Var& x) {
  const Values v = values(x);
  return {v.begin(), v.end()};
}

inline double larger(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? HUGE_VAL : std::max(a, b);
}

/// max |aᵢ|, at least `least`
inline double largest(const Numbers& a, double least = 0) {
  for (double v : a) least = larger(least, std::abs(v));
  return least;
}

/// max |aᵢ − bᵢ|
inline double gap(Numbers a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return largest(a);
}
inline double gap(const Var& a, const Var& b) {
  REQUIRE(a.shape() == b.shape());
  return gap(numbers(a), numbers(b));
}

/// How many times as far as plain sums of the same terms a convolution may round, in root mean squares over
/// normal numbers. tests/conv_test.cpp holds the kernels to it, tests/torch_test.cpp derives from it what a
/// network may. Winograd's transforms err by some 4 ε however few the terms are: more than short sums do.
/// (The constants in them, rounded to float, happen to be closer than in double: with them it is 2.9 and 5.8
/// at most.)
constexpr double rougher_long_sums = 4;   // of 98 terms or more: R1's at 7×7 pixels and 2 images
constexpr double rougher_short_sums = 9;  // of 18 or more

}  // namespace dale
