// Loops over strided arrays: what the CPU kernels are made of.
#pragma once

#include <array>
#include <cmath>
#include <limits>

#include "tensor/kernels.h"

// The iterations of the next loop may run in any order: an output overlaps an input only at the same element.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"  // a formula that calls the C library stays scalar, and may
#define DALE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define DALE_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace dale {

/// K arrays of one shape walked together, after merging axes that lie together in all of them.
template <int K>
struct Walk {
  int rank = 0;
  std::array<Index, Dims::max_rank> shape{};
  std::array<std::array<Index, Dims::max_rank>, K> strides{};

  Walk(const Shape& full, const std::array<const Strides*, K>& full_strides, int first_axis, int end_axis) {
    for (int i = first_axis; i < end_axis; ++i) {
      if (full[i] == 1) continue;
      bool merges = rank > 0;
      for (int k = 0; k < K && merges; ++k) merges = strides[k][rank - 1] == full[i] * (*full_strides[k])[i];
      if (!merges) ++rank;
      shape[rank - 1] = merges ? shape[rank - 1] * full[i] : full[i];
      for (int k = 0; k < K; ++k) strides[k][rank - 1] = (*full_strides[k])[i];
    }
    if (rank == 0) {
      rank = 1;
      shape[0] = 1;
    }
  }

  Index run_stride(int k) const { return strides[k][rank - 1]; }

  /// Calls f(position, offsets, length) for the runs along the last axis that make up elements [begin, end)
  /// in row-major order: position counts elements, offsets[k] is where array k's run starts.
  template <class F>
  void runs(Index begin, Index end, const F& f) const {
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

 private:
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
