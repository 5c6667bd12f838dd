// What the CUDA kernels are made of: a check of the runtime's answers, and one function that starts a kernel.
//
// launch() takes the place of the chevrons: the sources are then plain C++, and the tests compile them a
// second time for the host, against headers that play the runtime (tests/emulated) and define DALE_EMULATED.
// A kernel is written as a loop over elements e = first(), first() + step(), …, right for any number of
// blocks; indices have 64 bits. All work goes to one stream, so it runs in the order launched.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "tensor/walk.h"

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
template <class T> using Span = emulated::Span<T>;
#else
template <class T> using Span = std::span<T>;
#define DALE_SHARED(T, name, n) __shared__ alignas(32) T name[n]
#endif

/// Neighbours, which a device reads or writes at once. REQUIRES a place at a multiple of n elements of an
/// aligned array.
template <class T, int n> struct alignas(n * sizeof(T) < 16 ? n * sizeof(T) : 16) Vec {
  T v[n];

  __host__ __device__ Vec operator+(const Vec& other) const {
    Vec sum;
    for (int l = 0; l < n; ++l) sum.v[l] = v[l] + other.v[l];
    return sum;
  }
};
template <class T> using Vec4 = Vec<T, 4>;
/// Whether n of T can be read at once from there.
template <class T, int n> bool aligned(const void* place) {
  return reinterpret_cast<std::uintptr_t>(place) % alignof(Vec<T, n>) == 0;
}
#ifdef DALE_EMULATED
template <class Place> auto four(Place p) { return Vec4<typename Place::value_type>{p[0], p[1], p[2], p[3]}; }
template <class Place, class T, int n> void put(Place p, const Vec<T, n>& v) {
  for (int l = 0; l < n; ++l) p[l] = v.v[l];
}
#else
template <class T> __device__ Vec4<T> four(const T* p) { return *reinterpret_cast<const Vec4<T>*>(p); }
template <class T, int n> __device__ void put(T* p, const Vec<T, n>& v) {
  *reinterpret_cast<Vec<T, n>*>(p) = v;
}
#endif
/// x[i], …, x[i + n − 1], to read or to write at once.
template <int n, class T> __device__ auto& at_once(Span<T> x, Index i) {
  using V = Vec<std::remove_const_t<T>, n>;
#ifdef DALE_EMULATED
  emulated::expect_aligned(&x[i], alignof(V));
  static_cast<void>(x[i + n - 1]);
#endif
  return *reinterpret_cast<std::conditional_t<std::is_const_v<T>, const V, V>*>(x.data() + i);
}

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

/// Combines the v of `lanes` threads, which are `apart` from one to the next, in the order of a tree: lane 0
/// finds the result in its place of partial, one for each thread. Ends, as it begins, at a barrier.
template <class T, class Partial, class F>
__device__ void combine_lanes(const F& combine, int lane, int lanes, int apart, T v, Partial& partial) {
  const int t = static_cast<int>(threadIdx.x);
  __syncthreads();
  partial[t] = v;
  int half = 1;
  while (half < lanes) half *= 2;
  for (half /= 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half && lane + half < lanes) {
      const T mine = partial[t], other = partial[t + half * apart];
      partial[t] = combine(mine, other);
    }
  }
  __syncthreads();
}

__device__ inline Index first() { return Index{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline Index step() { return Index{gridDim.x} * blockDim.x; }

/// A view's elements.
template <class T> Span<T> elements(const View<T>& x) { return {x.data, static_cast<std::size_t>(x.extent)}; }

}  // namespace dale::cuda
