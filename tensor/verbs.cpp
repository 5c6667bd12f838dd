#include "tensor/verbs.h"

#include <algorithm>
#include <numeric>

namespace dale {
namespace {

/// x's axes from the one of the longest stride to the one of the shortest.
Axes memory_order(const Tensor& x) {
  Axes order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return x.strides()[a] > x.strides()[b]; });
  return order;
}

/// Undoes permute(order).
Tensor restored(const Tensor& x, const Axes& order) {
  Axes inverse(order.size());
  for (std::size_t k = 0; k < order.size(); ++k)
    inverse[static_cast<std::size_t>(order[k])] = static_cast<int>(k);
  return x.permute(inverse);
}

bool broadcast(const Tensor& x) {
  for (int i = 0; i < x.rank(); ++i)
    if (x.strides()[i] == 0 && x.dim(i) > 1) return true;
  return false;
}

/// A product reads a matrix whose last two strides are (n, 1) or (1, n) with n long enough; anything else is
/// packed first.
Tensor as_matrices(const Tensor& x) {
  const Index rows = x.dim(1), columns = x.dim(2), s1 = x.strides()[1], s2 = x.strides()[2];
  const bool by_rows = (s2 == 1 || columns <= 1) && (s1 >= columns || rows <= 1);
  const bool by_columns = (s1 == 1 || rows <= 1) && (s2 >= rows || columns <= 1);
  return by_rows || by_columns ? x : x.packed();
}

}  // namespace

namespace raw {

Tensor laid_out_like(const Tensor& like, const Shape& shape) {
  if (like.contiguous()) return Tensor(shape, like.device());
  const Axes order = memory_order(like);
  Shape permuted;
  for (int axis : order) permuted.push_back(shape[axis]);
  return restored(Tensor(permuted, like.device()), order);
}

Tensor unary(Unary op, const Tensor& x) {
  const auto map = [op](const Tensor& in) {
    Tensor y(in.shape(), in.device());
    kernels(in.device()).unary(op, in.cview(), y.span());
    return y;
  };
  if (x.contiguous()) return map(x);
  const Axes order = memory_order(x);
  return restored(map(x.permute(order)), order);
}

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  const auto zip = [op](const Tensor& left, const Tensor& right) {
    Tensor y(left.shape(), left.device());
    kernels(left.device()).binary(op, left.cview(), right.cview(), y.span());
    return y;
  };
  const Tensor& full = broadcast(a) ? b : a;
  if (full.contiguous() || broadcast(full)) return zip(a, b);
  const Axes order = memory_order(full);
  return restored(zip(a.permute(order), b.permute(order)), order);
}

void binary_into(Binary op, Tensor& y, const Tensor& b) {
  const Axes order = memory_order(y);
  Tensor to = y.permute(order);
  kernels(y.device()).binary(op, to.cview(), b.permute(order).cview(), to.span());
}

void fill(Tensor& y, real value) { kernels(y.device()).fill(y.permute(memory_order(y)).span(), value); }

void copy_into(Tensor y, const Tensor& x) {
  const Axes order = memory_order(y);
  kernels(y.device()).copy(x.permute(order).cview(), y.permute(order).view());
}

Tensor reduce(Reduce op, const Tensor& x, const Axes& axes) {
  Axes order = memory_order(x);
  const auto kept_end = std::stable_partition(order.begin(), order.end(), [&](int axis) {
    return std::find(axes.begin(), axes.end(), axis) == axes.end();
  });
  const int kept = static_cast<int>(kept_end - order.begin());
  const Tensor in_order = x.permute(order);
  Shape shape = in_order.shape();
  for (int i = kept; i < x.rank(); ++i) shape[i] = 1;
  Tensor y(shape, x.device());
  kernels(x.device()).reduce(op, in_order.cview(), kept, y.span());
  return restored(y, order);
}

Tensor squared_norms(const std::vector<Tensor>& xs) {
  std::vector<Tensor> in_order;
  std::vector<In> spans;
  for (const Tensor& x : xs) {
    in_order.push_back(x.permute(memory_order(x)).packed());
    spans.push_back(in_order.back().cspan());
  }
  Tensor y({static_cast<Index>(xs.size())}, xs[0].device());
  kernels(y.device()).squared_norms(spans, y.span());
  return y;
}

Tensor matmul(const Tensor& a0, const Tensor& b0) {
  const Tensor a = as_matrices(a0), b = as_matrices(b0);
  Tensor y({a.dim(0), a.dim(1), b.dim(2)}, a.device());
  kernels(a.device()).matmul(a.cview(), b.cview(), y.span());
  return y;
}

Tensor channels_last(const Tensor& x) {
  Axes axes{0};
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  axes.push_back(1);
  return x.permute(axes);
}

Tensor channels_first(const Tensor& x) {
  Axes axes{0, x.rank() - 1};
  for (int i = 1; i + 1 < x.rank(); ++i) axes.push_back(i);
  return x.permute(axes);
}

Tensor conv2d(const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& shift,
              const Tensor& residual) {
  Tensor y({s.N, s.OH, s.OW, s.O}, x.device());
  const Tensor packed_shift = shift.defined() ? shift.packed() : shift;
  const Tensor packed_residual = residual.defined() ? channels_last(residual).packed() : residual;
  kernels(x.device())
      .conv2d(s, channels_last(x).packed().cspan(), w.packed().cspan(),
              shift.defined() ? packed_shift.cspan() : In{},
              residual.defined() ? packed_residual.cspan() : In{}, y.span());
  return channels_first(y);
}

Tensor conv2d_input(const ConvShape& s, const Tensor& y, const Tensor& w) {
  Tensor x({s.N, s.H, s.W, s.C}, y.device());
  kernels(y.device()).conv2d_input(s, channels_last(y).packed().cspan(), w.packed().cspan(), x.span());
  return channels_first(x);
}

Tensor conv2d_weight(const ConvShape& s, const Tensor& x, const Tensor& y, Tensor* shift) {
  Tensor w({s.O, s.C, s.kh, s.kw}, x.device());
  if (shift) *shift = Tensor({s.O}, x.device());
  kernels(x.device())
      .conv2d_weight(s, channels_last(x).packed().cspan(), channels_last(y).packed().cspan(), w.span(),
                     shift ? shift->span() : Out{});
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

Tensor count_not_finite(const Tensor& x) {
  Axes all(static_cast<std::size_t>(x.rank()));
  std::iota(all.begin(), all.end(), 0);
  return reduce(Reduce::sum, unary(Unary::not_finite, x), all);
}

}  // namespace raw

bool all_finite(const Tensor& x) { return raw::count_not_finite(x).item() == 0; }

}  // namespace dale
