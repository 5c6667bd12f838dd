// Reductions over named axes. Sums are sum_to and a reshape; the others are formulas of sums, but for max:
//   y = max x,   ∂y/∂x = [x = y] / #{x = y}
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"

namespace dale {
namespace {

/// Which axes are reduced, and the result's shape with and without them.
struct Reduction {
  Axes axes;
  Shape kept, dropped;
  Index terms = 1;  // of each sum

  Reduction(const char* op, const Var& x, const Axes& named) {
    std::vector<bool> reduced(static_cast<std::size_t>(x.rank()), named.empty());
    for (int a : named) reduced[normal_axis(a, x.rank(), op)] = true;
    for (int i = 0; i < x.rank(); ++i) {
      kept.push_back(reduced[i] ? 1 : x.dim(i));
      if (reduced[i]) {
        axes.push_back(i);
        terms *= x.dim(i);
      } else {
        dropped.push_back(x.dim(i));
      }
    }
  }
};

/// The maximum where it is finite and 0 elsewhere, as a constant: what to take off before exp. An infinite
/// maximum is left in, so that log Σ of −∞ alone is −∞.
Var finite_max(const Var& x, const Axes& axes) {
  const Var top = max(x.detach(), axes, true);
  return masked(top, equal(top - top, constant(0, x)));
}

}  // namespace

Var sum(const Var& x, const Axes& axes, bool keep) {
  const Reduction r("sum", x, axes);
  const Var y = sum_to(x, r.kept);
  return keep ? y : reshape(y, r.dropped);
}

Var mean(const Var& x, const Axes& axes, bool keep) {
  const Index n = Reduction("mean", x, axes).terms;
  if (n == 0) invalid("[mean] of no elements: x has shape {}", str(x.shape()));
  return sum(x, axes, keep) * (1 / static_cast<real>(n));
}

Var max(const Var& x, const Axes& axes, bool keep) {
  const Reduction r("max", x, axes);
  const Var y = record("max", raw::reduce(Reduce::max, x.value(), r.axes), {x}, keep_input(0) | keep_output,
                       [](const Var& g, const Vars& x, const Var& y) {
                         const Var hit = equal(x[0], y);
                         return Vars{g / sum_to(hit, y.shape()) * hit};
                       });
  return keep ? y : reshape(y, r.dropped);
}

Var min(const Var& x, const Axes& axes, bool keep) { return -max(-x, axes, keep); }

IntTensor argmax(const Var& x, int axis) {
  axis = normal_axis(axis, x.rank(), "argmax");
  const Index n = x.dim(axis);
  if (n == 0) invalid("[argmax] axis {} of {} has no elements", axis, str(x.shape()));
  Axes to_last;
  Shape dropped;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis) {
      to_last.push_back(i);
      dropped.push_back(x.dim(i));
    }
  to_last.push_back(axis);
  const std::vector<real> rows = x.value().permute(to_last).to_vector();
  const auto less = [](real a, real b) { return a < b || (std::isnan(b) && !std::isnan(a)); };
  std::vector<std::int32_t> out;
  for (auto row = rows.begin(); row != rows.end(); row += n)
    out.push_back(static_cast<std::int32_t>(std::max_element(row, row + n, less) - row));
  return IntTensor(dropped, out, x.device());
}

Var variance(const Var& x, const Axes& axes, bool keep, Index correction) {
  const Index n = Reduction("variance", x, axes).terms;
  if (n <= correction)
    invalid("[variance] of {} elements with correction {}: more are needed", n, correction);
  return sum(square(x - mean(x, axes, true)), axes, keep) * (1 / static_cast<real>(n - correction));
}

Var logsumexp(const Var& x, const Axes& axes, bool keep) {
  const Reduction r("logsumexp", x, axes);
  const Var shift = finite_max(x, axes);
  const Var y = log(sum(exp(x - shift), axes, true)) + shift;
  return keep ? y : reshape(y, r.dropped);
}

Var softmax(const Var& x, int axis) {
  const Var e = exp(x - finite_max(x, {axis}));
  return e / sum(e, {axis}, true);
}

Var log_softmax(const Var& x, int axis) {
  const Var d = x - finite_max(x, {axis});
  return d - log(sum(exp(d), {axis}, true));
}

Var norm(const Var& x, const Axes& axes, bool keep) {
  const Var s = sum(square(x), axes, keep);
  const Var zero = equal(s, constant(0, x));
  return masked(sqrt(s + zero), 1 - zero);
}

}  // namespace dale
