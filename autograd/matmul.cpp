// Matrix products. y = op(a) op(b) is bilinear; its rules are products again:
//   ∂a: g bᵀ,   ∂b: aᵀ g,   with the transposes moved round where a or b enters transposed.
#include "autograd/ops.h"

namespace dale {
namespace {

/// (B,rows,columns), transposed if asked: a view.
Tensor as_batch(const Tensor& x, bool transpose) {
  const Tensor batch = x.rank() == 2 ? x.reshape({1, x.dim(0), x.dim(1)}) : x;
  return transpose ? batch.permute({0, 2, 1}) : batch;
}

}  // namespace

Var matmul(const Var& a, const Var& b, bool ta, bool tb) {
  same_device(a.device(), b.device(), "matmul");
  if (a.rank() != b.rank() || a.rank() < 2 || a.rank() > 3)
    invalid("[matmul] a {} and b {} must both be matrices or both be batches of matrices", str(a.shape()),
            str(b.shape()));
  const Tensor left = as_batch(a.value(), ta), right = as_batch(b.value(), tb);
  if (left.dim(2) != right.dim(1))
    invalid("[matmul] a {}{} has {} columns but b {}{} has {} rows", str(a.shape()), ta ? " transposed" : "",
            left.dim(2), str(b.shape()), tb ? " transposed" : "", right.dim(1));
  if (left.dim(0) != right.dim(0))
    invalid("[matmul] batches differ: a {} and b {}", str(a.shape()), str(b.shape()));
  Tensor y = raw::matmul(left, right);
  if (a.rank() == 2) y = y.reshape({y.dim(1), y.dim(2)});
  const unsigned keep = (a.tracked() ? keep_input(1) : 0) | (b.tracked() ? keep_input(0) : 0);
  return record("matmul", y, {a, b}, keep, [ta, tb](const Var& g, const Vars& x, const Var&) {
    const Var &a = x[0], &b = x[1];
    return each(
        x, [&] { return ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb); },
        [&] { return tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false); });
  });
}

}  // namespace dale
