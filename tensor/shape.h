// Shapes and strides. Element (i₀,…,i_{r−1}) of an array lies at offset + Σ i_k stride_k (counted in
// elements), so a permuted, sliced or broadcast array is the same storage under other strides: a broadcast
// axis has stride 0.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tensor/check.h"

namespace dale {

using Index = std::int64_t;

/// Up to six numbers, one an axis, kept in place: a shape costs no allocation.
class Dims {
 public:
  static constexpr int max_rank = 6;

  Dims() = default;
  Dims(std::initializer_list<Index> values) {
    for (Index v : values) push_back(v);
  }

  int rank() const { return rank_; }
  /// Axis i; a negative i counts from the last axis. REQUIRES −rank ≤ i < rank.
  Index operator[](int i) const { return values_[i < 0 ? i + rank_ : i]; }
  Index& operator[](int i) { return values_[i < 0 ? i + rank_ : i]; }
  void push_back(Index v) {
    if (rank_ == max_rank) invalid("an array has at most {} axes", int{max_rank});
    values_[rank_++] = v;
  }
  const Index* begin() const { return values_.data(); }
  const Index* end() const { return values_.data() + rank_; }
  bool operator==(const Dims&) const = default;

 private:
  std::array<Index, max_rank> values_{};  // 0 from rank_ on
  int rank_ = 0;
};

using Shape = Dims;
using Strides = Dims;
using Axes = std::vector<int>;

/// What no array's size can pass: sums and small multiples of sizes below it do not overflow.
constexpr Index largest_size = Index{1} << 59;

/// Number of elements, Π shape_k; 1 for rank 0. Throws std::invalid_argument past 2⁵⁹.
Index element_count(const Shape& shape);
/// Row-major strides: the last axis has stride 1.
Strides row_major(const Shape& shape);
/// Where element `flat` of a row-major array lies: an index for each axis.
Shape place_of(Index flat, const Shape& shape);
/// n numbers along one of `rank` axes, of length 1 else, to broadcast: (1,…,n,…,1).
Shape shape_along(int axis, Index n, int rank);
/// "(8,3,32,32)"
std::string str(const Dims& dims);
/// The axis in [0, rank); a negative one counts from the end. Throws std::invalid_argument "[op] axis …".
int normal_axis(int axis, int rank, const char* op);
/// The shape both broadcast to, aligned at the last axis, where equal sizes stay and 1 stretches.
/// Throws std::invalid_argument "[op] shapes … do not broadcast …".
Shape broadcast_shape(const Shape& a, const Shape& b, const char* op);

}  // namespace dale
