// The sinusoidal embedding (III.3) of a time: sin and cos of 1000 t ω_i with ω_i = 10000^{−i/half}, i = 0 …
// half − 1.
#pragma once

#include <map>
#include <mutex>

#include "nn/module.h"

namespace dale {

/// ω (1,half), made once a machine: a captured function cannot copy it from the host.
inline Var embedding_frequencies(Index half, Device device) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::pair<Index, Device>, Tensor>;  // outlives all static arrays
  const std::lock_guard lock(mutex);
  Tensor& omega = made[{half, device}];
  if (!omega.defined()) {
    std::vector<real> values;
    for (Index i = 0; i < half; ++i)
      values.push_back(static_cast<real>(scalar::exp(-scalar::log(10000.0) * static_cast<double>(i) / half)));
    omega = Tensor({1, half}, values, device);
  }
  return omega;
}

/// t (N) → (N,width). REQUIRES width even.
inline Var time_embedding(const Var& t, Index width) {
  const Var angle = reshape(1000 * t, {t.dim(0), 1}) * embedding_frequencies(width / 2, t.device());
  return concat({sin(angle), cos(angle)}, 1);
}

}  // namespace dale
