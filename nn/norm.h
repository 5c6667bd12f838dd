// Group normalisation (Wu & He 2018), optionally followed by SiLU in the same pass over memory.
#pragma once

#include "nn/module.h"

namespace dale {

struct GroupNorm {
  Index groups;
  Var weight, bias;  // (C), (C): γ = 1, β = 0 at the start

  GroupNorm(Index groups, Index channels)
      : groups(groups),
        weight(parameter(Tensor::full({channels}, 1))),
        bias(parameter(Tensor::full({channels}, 0))) {}

  /// x (N,C,…) → same shape
  Var operator()(const Var& x) const { return group_norm(x, weight, bias, groups); }
  Var then_silu(const Var& x) const { return group_norm(x, weight, bias, groups, 1e-5, true); }

  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
};

}  // namespace dale
