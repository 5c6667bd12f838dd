// y = x Wᵀ + b
#pragma once

#include "nn/module.h"

namespace dale {

struct Linear {
  Var weight, bias;  // (out,in), (out)

  Linear(Index in, Index out, Key key)
      : weight(uniform_parameter(key.split(0), {out, in}, in)),
        bias(uniform_parameter(key.split(1), {out}, in)) {}

  /// x (N,in) → (N,out)
  Var operator()(const Var& x) const { return matmul(x, weight, false, true) + bias; }

  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
};

}  // namespace dale
