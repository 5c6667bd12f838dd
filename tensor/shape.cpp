#include "tensor/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace dale {

Index element_count(const Shape& shape) {
  Index n = 1, bound = 16;  // bytes of an element, with room; a size of 0 counts as 1 there
  for (Index d : shape) {
    if (d != 0 && __builtin_mul_overflow(bound, d, &bound))
      invalid("an array cannot have the shape {}: it passes 2^63 bytes", str(shape));
    n *= d;
  }
  return n;
}

Strides row_major(const Shape& shape) {
  Strides strides = shape;
  Index step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape shape_along(int axis, Index n, int rank) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(i == axis ? n : 1);
  return shape;
}

std::string str(const Dims& dims) { return fmt::format("({})", fmt::join(dims, ",")); }

int normal_axis(int axis, int rank, const char* op) {
  if (axis < -rank || axis >= rank) invalid("[{}] axis {} is outside an array of rank {}", op, axis, rank);
  return axis < 0 ? axis + rank : axis;
}

Shape place_of(Index flat, const Shape& shape) {
  Shape place = shape;
  for (int axis = shape.rank() - 1; axis >= 0; flat /= shape[axis--]) place[axis] = flat % shape[axis];
  return place;
}

Shape broadcast_shape(const Shape& a, const Shape& b, const char* op) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - rank + a.rank(), ib = i - rank + b.rank();
    const Index da = ia < 0 ? 1 : a[ia], db = ib < 0 ? 1 : b[ib];
    if (da != db && da != 1 && db != 1)
      invalid("[{}] shapes {} and {} do not broadcast: axis {} from the right has {} against {}", op, str(a),
              str(b), rank - i, da, db);
    out.push_back(da == 1 ? db : da);
  }
  return out;
}

}  // namespace dale
