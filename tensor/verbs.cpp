#include "tensor/verbs.h"

namespace dale {
namespace {

Shape kept_shape(const Shape& shape, const Axes& axes) {
  Shape kept = shape;
  for (int a : axes) kept[a] = 1;
  return kept;
}

/// BLAS reads a matrix whose last two strides are (n, 1) or (1, n) with n long enough; anything else is
/// packed first.
Tensor as_matrices(const Tensor& x) {
  const Index rows = x.dim(1), columns = x.dim(2), s1 = x.strides()[1], s2 = x.strides()[2];
  const bool by_rows = (s2 == 1 || columns <= 1) && (s1 >= columns || rows <= 1);
  const bool by_columns = (s1 == 1 || rows <= 1) && (s2 >= rows || columns <= 1);
  return by_rows || by_columns ? x : x.packed();
}

}  // namespace

namespace raw {

Tensor unary(Unary op, const Tensor& x) {
  Tensor y(x.shape(), x.device());
  kernels(x.device()).unary(op, x.cview(), y.span());
  return y;
}

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  Tensor y(a.shape(), a.device());
  kernels(a.device()).binary(op, a.cview(), b.cview(), y.span());
  return y;
}

void binary_into(Binary op, Tensor& y, const Tensor& b) {
  kernels(y.device()).binary(op, y.cview(), b.cview(), y.span());
}

void copy_into(Tensor y, const Tensor& x) { kernels(y.device()).copy(x.cview(), y.view()); }

Tensor reduce(Reduce op, const Tensor& x, const Axes& axes) {
  Axes order;
  for (int i = 0, a = 0; i < x.rank(); ++i) {
    const bool reduced = a < static_cast<int>(axes.size()) && axes[a] == i;
    if (reduced)
      ++a;
    else
      order.push_back(i);
  }
  const int kept = static_cast<int>(order.size());
  order.insert(order.end(), axes.begin(), axes.end());
  Tensor y(kept_shape(x.shape(), axes), x.device());
  kernels(x.device()).reduce(op, x.permute(order).cview(), kept, y.span());
  return y;
}

Tensor matmul(const Tensor& a0, const Tensor& b0) {
  const Tensor a = as_matrices(a0), b = as_matrices(b0);
  Tensor y({a.dim(0), a.dim(1), b.dim(2)}, a.device());
  kernels(a.device()).matmul(a.cview(), b.cview(), y.span());
  return y;
}

Tensor conv2d(const ConvShape& s, const Tensor& x, const Tensor& w) {
  Tensor y({s.N, s.O, s.OH, s.OW}, x.device());
  kernels(x.device()).conv2d(s, x.packed().cspan(), w.packed().cspan(), y.span());
  return y;
}

Tensor conv2d_input(const ConvShape& s, const Tensor& y, const Tensor& w) {
  Tensor x({s.N, s.C, s.H, s.W}, y.device());
  kernels(y.device()).conv2d_input(s, y.packed().cspan(), w.packed().cspan(), x.span());
  return x;
}

Tensor conv2d_weight(const ConvShape& s, const Tensor& x, const Tensor& y) {
  Tensor w({s.O, s.C, s.kh, s.kw}, x.device());
  kernels(x.device()).conv2d_weight(s, x.packed().cspan(), y.packed().cspan(), w.span());
  return w;
}

Tensor gather(const Tensor& x, const IntTensor& i) {
  Shape shape = x.shape();
  const Index K = shape[0] ? x.size() / shape[0] : 0;
  shape[0] = i.size();
  Tensor y(shape, x.device());
  kernels(x.device()).gather(x.packed().cspan(), K, i.packed().cspan(), y.span());
  return y;
}

Tensor scatter_add(const Tensor& x, const IntTensor& i, Index R) {
  Shape shape = x.shape();
  const Index K = shape[0] ? x.size() / shape[0] : 0;
  shape[0] = R;
  Tensor y(shape, x.device());
  kernels(x.device()).scatter_add(x.packed().cspan(), K, i.packed().cspan(), y.span());
  return y;
}

}  // namespace raw

bool all_finite(const Tensor& x) {
  const Tensor flags = raw::unary(Unary::not_finite, x);
  return !(raw::reduce(Reduce::max, flags.reshape({flags.size()}), {0}).item() > 0);
}

}  // namespace dale
