// How data d become the x that a process multiplies or adds to, and samples become data again.
//   pixels     x = 1 + d      d in [0, 1]   d = clamp(x, 1, 2) − 1   the paper's choice: log x is bounded
//   identity   x = d          d > 0         d = x                    what is positive by nature
//   offset:C   x = C + d      d ≥ 0         d = max(x − C, 0)        what may be 0; C > 0
//   log        x = log d      d > 0         d = exp(x)               to take logarithms and add
// The last is for additive processes: ve on log d is gbm on d, number by number (IV.2).
#pragma once

#include <string>

#include "autograd/ops.h"

namespace dale {

struct Embedding {
  enum class Kind { pixels, identity, offset, log } kind = Kind::pixels;
  double offset = 0;  // C

  std::string name() const;
  bool operator==(const Embedding&) const = default;

  /// x of d, and d of x, elementwise on any shape.
  Var embed(const Var& data) const;
  Var data_of(const Var& x) const;
  /// log |dx/dd|, elementwise.
  Var log_slope(const Var& data) const;
  /// Throws std::runtime_error with `source`, the number of values that lie outside the domain and the first
  /// of them.
  void expect_domain(const Tensor& data, const std::string& source) const;
};

/// "pixels", "identity", "offset:C", "log". Throws std::invalid_argument for another name.
Embedding embedding_named(const std::string& name);

}  // namespace dale
