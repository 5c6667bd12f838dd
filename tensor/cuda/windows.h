// The product behind the three convolutions: windows of images, as a matrix that is never written down, times
// a matrix. Row p of A is a pixel's window, column q = (tap, channel) one of its numbers; what lies outside
// the image is 0.
//
//   forward     y[p,o] = Σ_q A[p,q] B[q,o]        A: windows of x, B: taps          (rows × columns) · B
//   input       x[p,c] = Σ_q A[p,q] B[q,c]        A: windows of y, B: taps, turned
//   weight      w[q,o] = Σ_p A[p,q] B[p,o]        A: windows of x, B: y             (rows × columns)ᵀ · B
//
// A block makes a tile of BM × BN outputs, one slab of BK terms after the other: threads read the slab of A
// and of B into shared memory while they multiply the slab before. Channels lie side by side, so four of them
// are one read. Its ladder: conv.cu's plain kernels (a thread an output, every operand from global memory);
// the tile here, by lanes (each element read once a tile, a thread multiplies 4 × 4 or 8 × 4 of them from
// registers); and by the matrix units in TF32, which round factors to 10 bits and add in float.
#pragma once

#ifndef DALE_DOUBLE
#include <mma.h>
#endif

#include "tensor/cuda/launch.h"

namespace dale::cuda {

struct Row {
  int base, h, w;  // where the pixel's image begins, or −1 for a row of zeros; the window's corner
};
struct Column {
  int h, w, c;  // the tap's offset from the corner, and the channel, or −1 for a column of zeros
};

/// Windows of images (N,H,W,C). Row (n,i,j) and tap (a,b) meet at the position (i,j)·step + start +
/// (a,b)·tap_step, which must be a multiple of `every` and is divided by it: strides of the form's x are
/// steps to one side, and gaps to the other.
struct Windows {
  Span<const real> x;
  int N, H, W, C, rows_h, rows_w, kw, columns;
  int step_h, step_w, start_h, start_w, tap_h, tap_w, every_h, every_w;
  bool fours;  // channels can be read four at a time

  __host__ __device__ int rows() const { return N * rows_h * rows_w; }

  __device__ Row row(int p, int end) const {
    if (p >= end) return {-1, 0, 0};
    const int n = p / (rows_h * rows_w), i = p / rows_w - n * rows_h, j = p % rows_w;
    return {n * H * W * C, i * step_h + start_h, j * step_w + start_w};
  }
  __device__ Column column(int q) const {
    if (q >= columns) return {0, 0, -1};
    const int tap = q / C, a = tap / kw;
    return {a * tap_h, (tap - a * kw) * tap_w, q - tap * C};
  }

  /// Whether they meet in the image, and where.
  __device__ bool place(const Row& r, const Column& q, int& at) const {
    int h = r.h + q.h, w = r.w + q.w;
    if (every_h > 1 || every_w > 1) {
      if (h % every_h != 0 || w % every_w != 0) return false;
      h /= every_h, w /= every_w;
    }
    at = r.base + (h * W + w) * C + q.c;
    return r.base >= 0 && q.c >= 0 && h >= 0 && h < H && w >= 0 && w < W;
  }

  /// A[r, q … q + 3].
  __device__ Vec4<real> four(const Row& r, int q) const {
    Vec4<real> v{};
    int at = 0;
    if (fours) return place(r, column(q), at) ? cuda::four(x, at) : v;
    for (int l = 0; l < 4; ++l)
      if (place(r, column(q + l), at)) v.v[l] = x[at];
    return v;
  }
};

/// The sums of a product of M × N outputs. Split in `length` terms each they are partial, (splits,M,N); whole
/// ones may have shift (N) or (images,N), and residual (M,N), added.
struct Sums {
  int M, N, K, length;
  int pixels = 1, shifts_an_image = 0;  // of an image; N for a shift (images,N), else 0
  Span<const real> shift = {}, residual = {};
  Span<real> y;

  __device__ void put(int split, int m, int n, real v) const {
    if (m >= M || n >= N) return;
    const Index at = Index{m} * N + n;
    if (!shift.empty()) v += shift[m / pixels * shifts_an_image + n];
    if (!residual.empty()) v += residual[at];
    y[Index{split} * M * N + at] = v;
  }
};

constexpr int BK = 128 / sizeof(real);  // terms of a slab

/// A block's tile by lanes: thread t has columns 4 (t % (BN/4)) … + 3 of `rows` rows.
template <bool transposed, int BM, int BN> struct Lanes {
  static constexpr int across = BN / 4, down = threads / across, rows = BM / down;
  static_assert(!transposed || rows % 4 == 0);
  static constexpr int staging = 1;
  real sum[rows][4] = {};

  static __device__ real rounded(real v) { return v; }
  static __device__ int column() { return static_cast<int>(threadIdx.x) % across * 4; }
  static __device__ int row(int i) {
    const int t = static_cast<int>(threadIdx.x) / across;
    return transposed ? i / 4 * 4 * down + t * 4 + i % 4 : t + i * down;
  }

  /// Adds a slab: a lies as [BM][pitch], or transposed as [BK][pitch]; b as [BK][BN + 4].
  template <class A, class B> __device__ void add(A& a, int pitch, B& b) {
#pragma unroll 2
    for (int k = 0; k < BK; k += 4) {
      Vec4<real> left[rows], right[4];  // of row i: terms k … k + 3; transposed, of term l: rows 4i …
#pragma unroll
      for (int i = 0; i < rows; ++i)
        left[i] = four(transposed ? &a[(k + i % 4) * pitch + row(i / 4 * 4)] : &a[row(i) * pitch + k]);
#pragma unroll
      for (int l = 0; l < 4; ++l) right[l] = four(&b[(k + l) * (BN + 4) + column()]);
#pragma unroll
      for (int l = 0; l < 4; ++l)
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j)
            sum[i][j] =
                fma(transposed ? left[i / 4 * 4 + l].v[i % 4] : left[i].v[l], right[l].v[j], sum[i][j]);
    }
  }

  template <class S, class F> __device__ void each(S&, const F& f) const {
#pragma unroll
    for (int i = 0; i < rows; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) f(row(i), column() + j, sum[i][j]);
  }
};

#ifndef DALE_DOUBLE
/// By the matrix units: eight warps, 4 down and 2 across, each with fragments of 16 × 16.
template <bool transposed, int BM, int BN> struct MatrixUnits {
  static constexpr int down = BM / 64, across = BN / 32;  // fragments of a warp
  static constexpr int staging = threads / 32 * 256;
  template <class Use, class... Layout> using Fragment = nvcuda::wmma::fragment<Use, 16, 16, 8, Layout...>;
  using TF32 = nvcuda::wmma::precision::tf32;
  Fragment<nvcuda::wmma::accumulator, float> sum[down][across];

  __device__ MatrixUnits() {
    for (auto& line : sum)
      for (auto& f : line) fill_fragment(f, 0.0f);
  }
  static __device__ real rounded(real v) { return nvcuda::wmma::__float_to_tf32(v); }
  static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
  static __device__ int row(int i) { return warp() % 4 * (BM / 4) + 16 * i; }
  static __device__ int column(int j) { return warp() / 4 * (BN / 2) + 16 * j; }

  template <class A, class B> __device__ void add(A& a, int pitch, B& b) {
    using namespace nvcuda;
    using Order = std::conditional_t<transposed, wmma::col_major, wmma::row_major>;
    for (int k = 0; k < BK; k += 8) {
      Fragment<wmma::matrix_a, TF32, Order> left[down];
      Fragment<wmma::matrix_b, TF32, wmma::row_major> right[across];
#pragma unroll
      for (int i = 0; i < down; ++i)
        load_matrix_sync(left[i], transposed ? &a[k * pitch + row(i)] : &a[row(i) * pitch + k], pitch);
#pragma unroll
      for (int j = 0; j < across; ++j) load_matrix_sync(right[j], &b[k * (BN + 4) + column(j)], BN + 4);
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int j = 0; j < across; ++j) mma_sync(sum[i][j], left[i], right[j], sum[i][j]);
    }
  }

  template <class S, class F> __device__ void each(S& stage, const F& f) const {
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int j = 0; j < across; ++j) {
        nvcuda::wmma::store_matrix_sync(&stage[256 * warp()], sum[i][j], 16, nvcuda::wmma::mem_row_major);
        __syncwarp();
        for (int e = static_cast<int>(threadIdx.x) % 32; e < 256; e += 32)
          f(row(i) + e / 16, column(j) + e % 16, real(stage[256 * warp() + e]));
        __syncwarp();
      }
  }
};
#endif

/// The tile of block blockIdx.x: columns first, then rows, then splits. b (K,N); sums.N a multiple of 4 where
/// b_fours.
template <bool transposed, int BM, int BN, template <bool, int, int> class Work>
__global__ void __launch_bounds__(threads)
    tiled_product(const __grid_constant__ Windows a, Span<const real> b, bool b_fours,
                  const __grid_constant__ Sums sums) {
  using Tile = Work<transposed, BM, BN>;
  constexpr int R = transposed ? BK : BM, Q = transposed ? BM : BK, pitch = Q + 4;  // the slab of A, by rows
  constexpr int a_fours = R * Q / 4, a_each = (a_fours + threads - 1) / threads;
  constexpr int b_count = BK * BN / 4, b_each = (b_count + threads - 1) / threads;
  DALE_SHARED(real, tile_a, R * pitch);
  DALE_SHARED(real, tile_b, BK * (BN + 4));
  DALE_SHARED(Row, rows, R);
  DALE_SHARED(real, stage, Tile::staging);

  const int t = static_cast<int>(threadIdx.x), tiles_n = (sums.N + BN - 1) / BN,
            tiles_m = (sums.M + BM - 1) / BM;
  const int block = static_cast<int>(blockIdx.x), n0 = block % tiles_n * BN,
            m0 = block / tiles_n % tiles_m * BM;
  const int split = block / (tiles_n * tiles_m), begin = split * sums.length;
  const int end = begin + sums.length < sums.K ? begin + sums.length : sums.K;

  const auto fill_rows = [&](int k0) {
    if (t < R) rows[t] = a.row((transposed ? k0 : m0) + t, transposed ? end : sums.M);
  };
  Vec4<real> next_a[a_each], next_b[b_each];
  const auto read = [&](int k0) {
#pragma unroll
    for (int i = 0; i < a_each; ++i) {
      const int e = t + i * threads;
      if (e < a_fours) next_a[i] = a.four(rows[e / (Q / 4)], (transposed ? m0 : k0) + e % (Q / 4) * 4);
    }
#pragma unroll
    for (int i = 0; i < b_each; ++i) {
      const int e = t + i * threads, k = k0 + e / (BN / 4), n = n0 + e % (BN / 4) * 4;
      next_b[i] = {};
      if (e >= b_count || k >= end) continue;
      if (b_fours && n < sums.N) next_b[i] = four(b, Index{k} * sums.N + n);
      for (int l = 0; !b_fours && l < 4; ++l)
        if (n + l < sums.N) next_b[i].v[l] = b[Index{k} * sums.N + n + l];
    }
  };
  const auto write = [&] {
#pragma unroll
    for (int i = 0; i < a_each; ++i) {
      const int e = t + i * threads;
      for (int l = 0; e < a_fours && l < 4; ++l)
        tile_a[e / (Q / 4) * pitch + e % (Q / 4) * 4 + l] = Tile::rounded(next_a[i].v[l]);
    }
#pragma unroll
    for (int i = 0; i < b_each; ++i) {
      const int e = t + i * threads;
      for (int l = 0; e < b_count && l < 4; ++l)
        tile_b[e / (BN / 4) * (BN + 4) + e % (BN / 4) * 4 + l] = Tile::rounded(next_b[i].v[l]);
    }
  };

  Tile work;
  fill_rows(begin);
  __syncthreads();
  if (begin < end) read(begin);
  for (int k0 = begin; k0 < end; k0 += BK) {
    __syncthreads();
    write();
    if (transposed) fill_rows(k0 + BK);
    __syncthreads();
    if (k0 + BK < end) read(k0 + BK);
    work.add(tile_a, pitch, tile_b);
  }
  work.each(stage, [&](int m, int n, real v) { sums.put(split, m0 + m, n0 + n, v); });
}

}  // namespace dale::cuda
