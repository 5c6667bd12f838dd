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

}  // namespace dale
