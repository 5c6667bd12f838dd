// Work on many arrays in one launch: a network has a hundred parameters, most of them small. The list travels
// as the kernel's argument, of which there may be 32 KiB; longer lists take several launches.
#pragma once

#include "tensor/cuda/launch.h"

namespace dale::cuda {

inline __host__ __device__ Index length(const AdamArrays& a) { return std::ssize(a.w); }
inline __host__ __device__ Index length(const LerpArrays& a) { return std::ssize(a.y); }
inline __host__ __device__ Index length(const In& x) { return std::ssize(x); }

/// Array k belongs to blocks [first_block[k], first_block[k + 1]).
template <class Arrays> struct MultiTensor {
  static constexpr int most = 256;
  static constexpr Index elements_of_a_block = 4 * threads;
  int count = 0;
  unsigned first_block[most + 1] = {};
  Arrays arrays[most];

  unsigned blocks() const { return first_block[count]; }
  /// Of all arrays.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (int k = 0; k < count; ++k) sum += static_cast<std::size_t>(length(arrays[k])) * sizeof(real);
    return sum * sizeof(Arrays) / sizeof(In);
  }

  /// Calls work(arrays, i) for the elements i of one array that are this thread's.
  template <class Work> __device__ void elements(const Work& work) const {
    int k = 0, end = count;  // first_block[k] ≤ this block < first_block[end]
    while (end - k > 1) {
      const int middle = (k + end) / 2;
      (first_block[middle] <= blockIdx.x ? k : end) = middle;
    }
    const Index begin = (blockIdx.x - first_block[k]) * elements_of_a_block;
    const Index n = length(arrays[k]), stop = begin + elements_of_a_block;
    for (Index i = begin + threadIdx.x; i < (stop < n ? stop : n); i += threads) work(arrays[k], i);
  }
};

/// Calls start(together) for all arrays, in order, `most` at a time.
template <class Arrays, class Start> void launch_multi(std::span<const Arrays> arrays, const Start& start) {
  MultiTensor<Arrays> some;
  static_assert(sizeof(some) <= 32000);
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    const Index share = some.elements_of_a_block, blocks = (length(arrays[k]) + share - 1) / share;
    some.arrays[some.count] = arrays[k];
    some.first_block[some.count + 1] = some.first_block[some.count] + static_cast<unsigned>(blocks);
    if (++some.count < some.most && k + 1 < arrays.size()) continue;
    start(some);
    some.count = 0;
  }
}

}  // namespace dale::cuda
