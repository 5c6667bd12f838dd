// The sinusoidal embedding of a time: sin and cos of 1000 t ω_i with ω_i = 10000^{−i/half}, i = 0 … half − 1.
#pragma once

#include "nn/module.h"

namespace dale {

/// t (N) → (N,width). REQUIRES width even.
inline Var time_embedding(const Var& t, Index width) {
  const Index half = width / 2;
  std::vector<real> frequency;
  for (Index i = 0; i < half; ++i)
    frequency.push_back(static_cast<real>(std::exp(-std::log(10000.0) * static_cast<double>(i) / half)));
  const Var angle = reshape(1000 * t, {t.dim(0), 1}) * Var(Tensor({1, half}, frequency, t.device()));
  return concat({sin(angle), cos(angle)}, 1);
}

}  // namespace dale
