// What the CUDA kernels are made of: a check of the runtime's answers, one function that starts a kernel, and
// the walk over strided arrays (the CPU's Walk, cpu/loops.h, by index and not by run).
//
// launch() takes the place of the chevrons: the sources are then plain C++, and the tests compile them a
// second time for the host, against headers that play the runtime (tests/emulated) and define DALE_EMULATED.
// A kernel is written as a loop over elements e = first(), first() + step(), …, right for any number of
// blocks; indices have 64 bits. All work goes to one stream, so it runs in the order launched.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <type_traits>

#include "tensor/cuda/verbs.h"
#include "tensor/storage.h"

namespace dale::cuda {

/// Throws std::runtime_error unless the runtime agreed to `what`.
inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess)
    failed("CUDA cannot {}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

/// The stream that all kernels, products and copies go to (stream.cu).
cudaStream_t stream();

/// What a kernel sees of an array, and a block's shared array. Emulated, both watch their indices, and the
/// shared one its readers and writers.
#ifdef DALE_EMULATED
template <class T>
using Span = emulated::Span<T>;
#else
template <class T>
using Span = std::span<T>;
#define DALE_SHARED(T, name, n) __shared__ alignas(32) T name[n]
#endif

/// Four neighbours, which a device reads at once. REQUIRES a place at a multiple of four elements of an
/// aligned array.
template <class T>
struct alignas(16) Vec4 {
  T v[4];
};
#ifdef DALE_EMULATED
template <class Place>
auto four(Place p) {
  return Vec4<typename Place::value_type>{p[0], p[1], p[2], p[3]};
}
template <class T>
Vec4<T> four(Span<const T> x, Index i) {
  return {x[i], x[i + 1], x[i + 2], x[i + 3]};
}
#else
template <class T>
__device__ Vec4<T> four(const T* p) {
  return *reinterpret_cast<const Vec4<T>*>(p);
}
template <class T>
__device__ Vec4<T> four(Span<const T> x, Index i) {
  return four(x.data() + i);
}
#endif

constexpr int threads = 256;  // a block

#ifndef DALE_MOST_BLOCKS  // tests/emulated has a few, so that every block goes round its loop
#define DALE_MOST_BLOCKS 65536
#endif
inline Index at_most_blocks(Index n) { return std::min<Index>(n, DALE_MOST_BLOCKS); }
/// Blocks for n elements, one a thread; beyond the limit a thread takes several.
inline Index blocks_for(Index n) { return at_most_blocks((n + threads - 1) / threads); }

/// Starts a kernel. No blocks is nothing to do, but to CUDA an error.
template <class... P>
void launch(void (*kernel)(P...), Index blocks, int block_threads, std::type_identity_t<P>... args) {
  if (blocks == 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(block_threads));
  config.stream = stream();
  check(cudaLaunchKernelEx(&config, kernel, args...), "start a kernel, or an earlier one failed");
}

__device__ inline Index first() { return Index{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline Index step() { return Index{gridDim.x} * blockDim.x; }

/// A view's elements.
template <class T>
Span<T> elements(const View<T>& x) {
  return {x.data, static_cast<std::size_t>(x.extent)};
}

/// Device memory for n numbers between two kernels. Its next user is a later kernel of the same stream: it
/// cannot be early.
class Scratch {
 public:
  explicit Scratch(Index n) : storage_(static_cast<std::size_t>(n) * sizeof(real), Device::cuda), n_(n) {}
  Out span() const { return {static_cast<real*>(storage_.data()), static_cast<std::size_t>(n_)}; }

 private:
  Storage storage_;
  Index n_;
};

/// K arrays of one shape walked together, after merging axes that lie together in all of them: contiguous and
/// fully broadcast arrays have one axis left, and need no division.
template <int K>
struct Walk {
  int rank = 0;
  Index count = 1;
  Index shape[Dims::max_rank] = {};
  Index strides[K][Dims::max_rank] = {};

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
  }

  Index run_stride(int k) const { return rank == 0 ? 0 : strides[k][rank - 1]; }

  /// Where element i of [0, count), in row-major order, lies in each array. Divisions in 32 bits, where they
  /// do, cost a fifth of those in 64.
  __device__ std::array<Index, K> operator()(Index i) const {
    return count >> 32 == 0 ? offsets<std::uint32_t>(static_cast<std::uint32_t>(i))
                            : offsets<std::uint64_t>(i);
  }

 private:
  template <class U>
  __device__ std::array<Index, K> offsets(U i) const {
    std::array<Index, K> at{};
    for (int axis = rank - 1; axis > 0; --axis) {
      const U length = static_cast<U>(shape[axis]), rest = i / length;
      for (int k = 0; k < K; ++k) at[k] += static_cast<Index>(i - rest * length) * strides[k][axis];
      i = rest;
    }
    for (int k = 0; k < K; ++k) at[k] += static_cast<Index>(i) * strides[k][0];
    return at;
  }
};

}  // namespace dale::cuda
