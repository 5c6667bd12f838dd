// What the kernels of both machines are made of: memory for a call, and loops over strided arrays. The CPU's
// go by runs, CUDA's by index.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "tensor/kernels.h"
#include "tensor/storage.h"

// The iterations of the next loop may run in any order: an output overlaps an input only at the same element.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"  // a formula that calls the C library stays scalar, and may
#define DALE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define DALE_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace dale {

/// Memory for one call of a kernel, from the cache: uninitialised numbers, 64-byte aligned. On CUDA its next
/// user is a later kernel of the same stream: it cannot be early.
template <Device device> class ScratchOn {
 public:
  explicit ScratchOn(Index n) : block_(static_cast<std::size_t>(n) * sizeof(real), device) {}
  real* data() const { return static_cast<real*>(block_.data()); }
  Out span() const { return {data(), block_.bytes() / sizeof(real)}; }

 private:
  Storage block_;
};

namespace cpu {
using Scratch = ScratchOn<Device::cpu>;
}
namespace cuda {
using Scratch = ScratchOn<Device::cuda>;
}

/// K arrays of one shape walked together, after merging axes that lie together in all of them: contiguous and
/// fully broadcast arrays have one axis left, and need no division.
template <int K> struct Walk {
  int rank = 0;
  Index count = 1;  // of elements
  std::array<Index, Dims::max_rank> shape{};
  std::array<std::array<Index, Dims::max_rank>, K> strides{};

  /// Axes [first_axis, end_axis) of the arrays.
  Walk(const Shape& full, const std::array<const Strides*, K>& full_strides, int first_axis, int end_axis) {
    for (int i = first_axis; i < end_axis; ++i) {
      count *= full[i];
      if (full[i] == 1) continue;
      bool merges = rank > 0;
      for (int k = 0; k < K && merges; ++k) merges = strides[k][rank - 1] == full[i] * (*full_strides[k])[i];
      if (!merges) ++rank;
      shape[rank - 1] = merges ? shape[rank - 1] * full[i] : full[i];
      for (int k = 0; k < K; ++k) strides[k][rank - 1] = (*full_strides[k])[i];
    }
    if (rank == 0) shape[0] = rank = 1;
  }

  Index run_stride(int k) const { return strides[k][rank - 1]; }

  /// Calls f(position, offsets, length) for the runs along the last axis that make up elements [begin, end)
  /// in row-major order: position counts elements, offsets[k] is where array k's run starts.
  template <class F> void runs(Index begin, Index end, const F& f) const {
    if (begin >= end) return;
    std::array<Index, Dims::max_rank> at{};
    std::array<Index, K> offsets{};
    Index rest = begin;
    for (int i = rank - 1; i >= 0; --i) {
      at[i] = rest % shape[i];
      rest /= shape[i];
      for (int k = 0; k < K; ++k) offsets[k] += at[i] * strides[k][i];
    }
    for (Index position = begin; position < end;) {
      const Index length = std::min(shape[rank - 1] - at[rank - 1], end - position);
      f(position, offsets, length);
      position += length;
      advance(at, offsets, length);
    }
  }

  /// Where element i of [0, count), in row-major order, lies in each array. Divisions in 32 bits, where they
  /// do, cost a fifth of those in 64.
  DALE_BOTH std::array<Index, K> operator()(Index i) const {
    return count >> 32 == 0 ? place<std::uint32_t>(static_cast<std::uint32_t>(i)) : place<std::uint64_t>(i);
  }

 private:
  template <class U> DALE_BOTH std::array<Index, K> place(U i) const {
    std::array<Index, K> at{};
    for (int axis = rank - 1; axis > 0; --axis) {
      const U length = static_cast<U>(shape[axis]), rest = i / length;
      for (int k = 0; k < K; ++k) at[k] += static_cast<Index>(i - rest * length) * strides[k][axis];
      i = rest;
    }
    for (int k = 0; k < K; ++k) at[k] += static_cast<Index>(i) * strides[k][0];
    return at;
  }

  void advance(std::array<Index, Dims::max_rank>& at, std::array<Index, K>& offsets, Index length) const {
    int i = rank - 1;
    at[i] += length;
    for (int k = 0; k < K; ++k) offsets[k] += length * strides[k][i];
    for (; i > 0 && at[i] == shape[i]; --i) {
      at[i] = 0;
      ++at[i - 1];
      for (int k = 0; k < K; ++k) offsets[k] += strides[k][i - 1] - shape[i] * strides[k][i];
    }
  }
};

}  // namespace dale
