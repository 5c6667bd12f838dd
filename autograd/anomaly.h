// Repeating a step to find what broke it.
#pragma once

#include "autograd/var.h"

namespace dale {

/// f()'s result when it is finite. Otherwise the same step is run again, watched by Anomaly, and NotFinite
/// says `<what> <number>: [op] made a value that is not finite; …`. Any other error passes as it is. REQUIRES
/// f to be a function of unchanged state.
template <class F>
Var finite_step(const char* what, Index number, const F& f) {
  Var y = f();
  if (all_finite(y.value())) return y;
  try {
    const Anomaly watch;
    y = f();
  } catch (const NotFinite& error) { throw NotFinite(fmt::format("{} {}: {}", what, number, error.what())); }
  throw NotFinite(fmt::format("{} {}: the result is not finite", what, number));
}

}  // namespace dale
