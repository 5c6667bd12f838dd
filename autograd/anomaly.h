// Repeating a step to find what broke it.
#pragma once

#include "autograd/var.h"

namespace dale {

/// A computation that left the finite numbers, as distinct from a machine or a file that failed.
struct NotFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// f()'s result when it is finite. Otherwise the same step is run again, watched by Anomaly, and NotFinite
/// says `<what> <number>: [op] made a value that is not finite; …`. REQUIRES f to be a
/// function of unchanged state.
template <class F>
Var finite_step(const char* what, Index number, const F& f) {
  Var y = f();
  if (all_finite(y.value())) return y;
  try {
    const Anomaly watch;
    y = f();
  } catch (const std::runtime_error& error) {
    throw NotFinite(fmt::format("{} {}: {}", what, number, error.what()));
  }
  throw NotFinite(fmt::format("{} {}: the result is not finite", what, number));
}

}  // namespace dale
