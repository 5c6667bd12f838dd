// Matrix products. y = op(a) op(b) is bilinear; its rules are products again:
//   ∂a: g bᵀ,   ∂b: aᵀ g,   with the transposes moved round where a or b enters transposed.
#include "autograd/ops.h"

namespace dale {
namespace {

/// (B,rows,columns), transposed if asked: a view. REQUIRES rank 2 or 3.
Tensor as_batch(const Tensor& x, bool transpose) {
  const Tensor batch = x.rank() == 2 ? x.reshape({1, x.dim(0), x.dim(1)}) : x;
  return transpose ? batch.permute({0, 2, 1}) : batch;
}

Shape leading(const Shape& shape) {
  Shape out;
  for (int i = 0; i + 2 < shape.rank(); ++i) out.push_back(shape[i]);
  return out;
}

/// x with its leading axes stretched to `batch` and merged into one.
Var stretched(const Var& x, const Shape& batch) {
  Shape full = batch;
  full.push_back(x.dim(-2));
  full.push_back(x.dim(-1));
  return reshape(broadcast_to(x, full), {element_count(batch), x.dim(-2), x.dim(-1)});
}

}  // namespace

Var matmul(const Var& a, const Var& b, bool ta, bool tb) {
  same_device(a.device(), b.device(), "matmul");
  if (a.rank() < 2 || b.rank() < 2)
    invalid("[matmul] a {} and b {} must have at least two axes: reshape a vector to a matrix",
            str(a.shape()), str(b.shape()));
  const Index columns = a.dim(ta ? -2 : -1), rows = b.dim(tb ? -1 : -2);
  if (columns != rows)
    invalid("[matmul] a {}{} has {} columns but b {}{} has {} rows", str(a.shape()), ta ? " transposed" : "",
            columns, str(b.shape()), tb ? " transposed" : "", rows);
  const bool same = a.rank() == b.rank() && leading(a.shape()) == leading(b.shape());
  if (!same || a.rank() > 3) {
    Shape batch = broadcast_shape(leading(a.shape()), leading(b.shape()), "matmul");
    const Var y = matmul(stretched(a, batch), stretched(b, batch), ta, tb);
    batch.push_back(y.dim(1));
    batch.push_back(y.dim(2));
    return reshape(y, batch);
  }
  Tensor y = raw::matmul(as_batch(a.value(), ta), as_batch(b.value(), tb));
  if (a.rank() == 2) y = y.reshape({y.dim(1), y.dim(2)});
  return record("matmul", y, {a, b}, keep_others(a, b), [ta, tb](const Var& g, const Vars& x, const Var&) {
    const Var &a = x[0], &b = x[1];
    return each(
        x, [&] { return ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb); },
        [&] { return tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false); });
  });
}

}  // namespace dale
