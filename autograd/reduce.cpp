// Reductions over named axes, as sum_to and a reshape.
#include "autograd/ops.h"

namespace dale {

Var sum(const Var& x, const Axes& axes, bool keep) {
  Shape kept = x.shape(), dropped;
  std::vector<bool> reduced(static_cast<std::size_t>(x.rank()), axes.empty());
  for (int a : axes) reduced[normal_axis(a, x.rank(), "sum")] = true;
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced[i])
      kept[i] = 1;
    else
      dropped.push_back(kept[i]);
  }
  const Var y = sum_to(x, kept);
  return keep ? y : reshape(y, dropped);
}

Var mean(const Var& x, const Axes& axes, bool keep) {
  const Var total = sum(x, axes, keep);
  if (x.size() == 0) invalid("[mean] of no elements: x has shape {}", str(x.shape()));
  return total * (static_cast<real>(total.size()) / static_cast<real>(x.size()));
}

}  // namespace dale
