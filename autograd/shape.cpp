// Views and indices. They are linear, and come in pairs that are each other's adjoint, hence each other's
// rule:
//   reshape – reshape,  permute – inverse permute,  slice – place,  broadcast_to – sum_to,
//   gather – scatter_add
#include <algorithm>

#include "autograd/ops.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

/// y = A x of a linear A, whose rule is its adjoint(g, x's shape) = Aᵀ g.
template <class Adjoint> Var linear(const char* op, Tensor y, const Var& x, Adjoint adjoint) {
  return record(op, std::move(y), {x}, keep_nothing, [adjoint](const Var& g, const Vars& in, const Var&) {
    return Vars{adjoint(g, in[0].shape())};
  });
}

/// Not of a captured function, which has none on the host.
void check_indices(const char* op, const IntTensor& index, Index rows, const std::string& of) {
  if (index.device() == Device::cuda && cuda_recording()) return;
  for (std::int32_t i : index.to_vector())
    if (i < 0 || i >= rows) invalid("[{}] index {} is outside the {} rows of {}", op, i, rows, of);
}

}  // namespace

Var reshape(const Var& x, const Shape& shape) {
  return shape == x.shape() ? x : linear("reshape", x.value().reshape(shape), x, reshape);
}

Var permute(const Var& x, const Axes& axes) {
  return linear("permute", x.value().permute(axes), x, [axes](const Var& g, const Shape&) {
    Axes inverse(axes.size());
    for (int k = 0; k < g.rank(); ++k) inverse[normal_axis(axes[k], g.rank(), "permute")] = k;
    return permute(g, inverse);
  });
}

Var slice(const Var& x, int axis, Index begin, Index end, Index step) {
  return linear("slice", x.value().slice(axis, begin, end, step), x,
                [=](const Var& g, const Shape& of) { return place(g, axis, begin, step, of[axis]); });
}

Var place(const Var& x, int axis, Index begin, Index step, Index length) {
  axis = normal_axis(axis, x.rank(), "place");
  const Index steps = std::max<Index>(0, x.dim(axis) - 1);
  if (begin < 0 || step < 1 || begin > length - std::min<Index>(1, x.dim(axis)) ||
      (steps > 0 && step > (length - 1 - begin) / steps))
    invalid("[place] {} elements from {} in steps of {} do not fit into an axis of {}", x.dim(axis), begin,
            step, length);
  const Index end = x.dim(axis) ? begin + steps * step + 1 : begin;
  Shape shape = x.shape();
  shape[axis] = length;
  Tensor y = raw::laid_out_like(x.value(), shape);
  raw::fill(y, 0);
  raw::copy_into(y.slice(axis, begin, end, step), x.value());
  return linear("place", y, x, [=](const Var& g, const Shape&) { return slice(g, axis, begin, end, step); });
}

Var concat(const Vars& xs, int axis) {
  if (xs.empty()) invalid("[concat] there is nothing to join");
  axis = normal_axis(axis, xs[0].rank(), "concat");
  Shape shape = xs[0].shape();
  shape[axis] = 0;
  for (const Var& x : xs) {
    same_device(x.device(), xs[0].device(), "concat");
    Shape rest = x.shape();
    if (rest.rank() == shape.rank()) rest[axis] = shape[axis];
    if (!(rest == shape))
      invalid("[concat] shapes {} and {} differ outside axis {}", str(xs[0].shape()), str(x.shape()), axis);
    shape[axis] += x.dim(axis);
  }
  Tensor y = raw::laid_out_like(xs[0].value(), shape);
  Index begin = 0;
  for (const Var& x : xs) {
    raw::copy_into(y.slice(axis, begin, begin + x.dim(axis)), x.value());
    begin += x.dim(axis);
  }
  return record("concat", y, xs, keep_nothing, [axis](const Var& g, const Vars& xs, const Var&) {
    Vars parts;
    Index begin = 0;
    for (const Var& x : xs) {
      parts.push_back(x.tracked() ? slice(g, axis, begin, begin + x.dim(axis)) : Var());
      begin += x.dim(axis);
    }
    return parts;
  });
}

Var broadcast_to(const Var& x, const Shape& shape) {
  return shape == x.shape() ? x : linear("broadcast_to", x.value().broadcast_to(shape), x, sum_to);
}

Var sum_to(const Var& x, const Shape& shape) {
  if (shape == x.shape()) return x;
  const int missing = x.rank() - shape.rank();
  bool sums = missing >= 0;
  Axes axes;
  for (int i = 0; i < x.rank() && sums; ++i)
    if (i < missing || (shape[i - missing] == 1 && x.dim(i) != 1))
      axes.push_back(i);
    else
      sums = shape[i - missing] == x.dim(i);
  if (!sums) invalid("[sum_to] the shape {} does not sum to {}", str(x.shape()), str(shape));
  return linear("sum_to", raw::reduce(Reduce::sum, x.value(), axes).reshape(shape), x, broadcast_to);
}

Var gather(const Var& x, const IntTensor& index) {
  if (x.rank() < 1) invalid("[gather] x has no axis to index");
  same_device(x.device(), index.device(), "gather");
  check_indices("gather", index, x.dim(0), "x " + str(x.shape()));
  return linear("gather", raw::gather(x.value(), index), x,
                [index](const Var& g, const Shape& of) { return scatter_add(g, index, of[0]); });
}

Var scatter_add(const Var& x, const IntTensor& index, Index R) {
  same_device(x.device(), index.device(), "scatter_add");
  if (x.rank() < 1 || x.dim(0) != index.size())
    invalid("[scatter_add] x {} has not one row for each of the {} indices", str(x.shape()), index.size());
  check_indices("scatter_add", index, R, "the result");
  return linear("scatter_add", raw::scatter_add(x.value(), index, R), x,
                [index](const Var& g, const Shape&) { return gather(g, index); });
}

Var pad(const Var& x, int axis, Index before, Index after) {
  axis = normal_axis(axis, x.rank(), "pad");
  if (before < 0 || after < 0) invalid("[pad] {} and {} zeros: use slice to cut", before, after);
  if (std::max(before, after) > largest_size)
    invalid("[pad] {} and {} zeros: no array has so many", before, after);
  return place(x, axis, before, 1, before + x.dim(axis) + after);
}

Var stack(const Vars& xs, int axis) {
  if (xs.empty()) invalid("[stack] there is nothing to join");
  axis = normal_axis(axis, xs[0].rank() + 1, "stack");
  Vars unit;
  for (const Var& x : xs) {
    Shape shape;
    for (int i = 0; i <= x.rank(); ++i) {
      if (i == axis) shape.push_back(1);
      if (i < x.rank()) shape.push_back(x.dim(i));
    }
    unit.push_back(reshape(x, shape));
  }
  return concat(unit, axis);
}

Vars split(const Var& x, const std::vector<Index>& sizes, int axis) {
  axis = normal_axis(axis, x.rank(), "split");
  Vars parts;
  Index begin = 0;
  for (Index size : sizes) {
    if (size < 0 || begin + size > x.dim(axis)) break;
    parts.push_back(slice(x, axis, begin, begin + size));
    begin += size;
  }
  if (begin != x.dim(axis) || parts.size() != sizes.size())
    invalid("[split] the sizes do not add up to axis {} of {}", axis, str(x.shape()));
  return parts;
}

Var flip(const Var& x, int axis) {
  axis = normal_axis(axis, x.rank(), "flip");
  if (x.size() == 0) return x;  // its axes may be longer than any index
  Axes swapped;                 // the axis and the first change places
  for (int i = 0; i < x.rank(); ++i) swapped.push_back(i == 0 ? axis : i == axis ? 0 : i);
  std::vector<std::int32_t> reversed;
  for (Index i = x.dim(axis); i-- > 0;) reversed.push_back(static_cast<std::int32_t>(i));
  const IntTensor index({x.dim(axis)}, reversed, x.device());
  return permute(gather(permute(x, swapped), index), swapped);
}

Var embedding(const Var& table, const IntTensor& index) {
  if (table.rank() < 1) invalid("[embedding] the table has no axis to index");
  Shape shape = index.shape();
  for (int i = 1; i < table.rank(); ++i) shape.push_back(table.dim(i));
  return reshape(gather(table, index.reshape({index.size()})), shape);
}

Var one_hot(const IntTensor& index, Index classes) {
  std::vector<real> identity(static_cast<std::size_t>(element_count({classes, classes})));
  for (Index i = 0; i < classes; ++i) identity[static_cast<std::size_t>(i * classes + i)] = 1;
  return embedding(Tensor({classes, classes}, identity, index.device()), index);
}

}  // namespace dale
