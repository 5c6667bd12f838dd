// Repeating a step to find what broke it.
#pragma once

#include "autograd/var.h"

namespace dale {

/// f()'s result when it is finite. Otherwise the same step is run again, watched by Anomaly, and
/// std::runtime_error says `<what> <number>: [op] made a value that is not finite; …`. REQUIRES f to be a
/// function of unchanged state.
template <class F>
Var finite_step(const char* what, Index number, const F& f) {
  Var y = f();
  if (all_finite(y.value())) return y;
  try {
    const Anomaly watch;
    y = f();
  } catch (const std::runtime_error& error) {
    failed("{} {}: {}", what, number, error.what());
  }
  failed("{} {}: the result is not finite", what, number);
}

}  // namespace dale
