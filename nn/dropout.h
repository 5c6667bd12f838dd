// Dropout (Srivastava et al. 2014): in training each element is 0 with probability p and else multiplied by
// 1/(1 − p), so that its mean stays. The mask is a function of a key, element e of x taking element e of the
// key's stream, hence the same whenever and wherever a step is run; to a gradient of any order it is a
// constant.
#pragma once

#include "nn/module.h"

namespace dale {

struct Dropout {
  double rate = 0;  // p; 0 leaves x as it is
  Key key{};

  Var operator()(const Var& x) const {
    if (rate == 0) return x;
    const Tensor mask = bernoulli(key, x.shape(), 1 - rate, 0, x.device());
    return x * (Var(mask) * static_cast<real>(1 / (1 - rate)));
  }
  /// The same rate with a stream of its own.
  Dropout split(std::uint64_t n) const { return {rate, key.split(n)}; }
};

}  // namespace dale
