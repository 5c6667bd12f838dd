// The product behind the three convolutions: windows of images, as a matrix that is never written down, times
// a matrix. Row p of A is a pixel's window, column q = (tap, channel) one of its numbers; what lies outside
// the image is 0.
//
//   forward     y[p,o] = Σ_q A[p,q] B[q,o]        A: windows of x, B: taps          (rows × columns) · B
//   input       x[p,c] = Σ_q A[p,q] B[q,c]        A: windows of y, B: taps, turned
//   weight      w[q,o] = Σ_p A[p,q] B[p,o]        A: windows of x, B: y             (rows × columns)ᵀ · B
//
// A block makes a tile of BM × BN outputs, one slab of BK terms after the other: threads read the slab of A
// and of B while they multiply the slab before (tiles.h). Channels lie side by side, so four of them are one
// read. Where row and column meet in memory is a sum, of the row's part and of the column's; a thread has one
// column and some rows, of which one kind stays for the whole tile and the other changes from slab to slab,
// so that no division is made for an element.
#pragma once

#include "tensor/cuda/tiles.h"

namespace dale::cuda {

constexpr int outside = -(1 << 30);  // of a row or column of zeros: it meets no other in the image
constexpr int ones = 1 << 30;        // of a column of ones

/// What a row or a column adds to the place where they meet: in memory, modulo 2³², and in the image, where a
/// row is its window's corner and a column its tap's offset from there.
struct Offset {
  unsigned at;
  int h, w;
};

/// Windows of images (N,H,W,C). Row (n,i,j) and tap (a,b) meet at the position (i,j)·step + start +
/// (a,b)·tap_step, which must be a multiple of `every` and is divided by it: strides of the form's x are
/// steps to one side, and gaps to the other. *Simple* windows have no gaps, and channels that can be read
/// four at a time.
struct Windows {
  Span<const real> x;
  int N, H, W, C, rows_h, rows_w, kw, columns;
  int step_h, step_w, start_h, start_w, tap_h, tap_w, every_h, every_w;
  bool fours;
  bool and_ones = false;  // whether a column of ones stands behind the others

  __host__ __device__ int rows() const { return N * rows_h * rows_w; }
  bool simple() const { return fours && every_h == 1 && every_w == 1; }
  /// Of a position in an image.
  __device__ unsigned offset(int h, int w) const {
    return (static_cast<unsigned>(h) * static_cast<unsigned>(W) + static_cast<unsigned>(w)) *
           static_cast<unsigned>(C);
  }

  template <bool simple> __device__ Offset row(int p, int end) const {
    if (p >= end) return {0, outside, outside};
    const int n = p / (rows_h * rows_w), i = p / rows_w - n * rows_h, j = p % rows_w;
    const int h = i * step_h + start_h, w = j * step_w + start_w;
    return {offset(n * H, 0) + (simple ? offset(h, w) : 0), h, w};
  }
  template <bool simple> __device__ Offset column(int q) const {
    if (q >= columns) return {0, and_ones && q == columns ? ones : outside, outside};
    const int tap = q / C, a = tap / kw, h = a * tap_h, w = (tap - a * kw) * tap_w;
    return {static_cast<unsigned>(q - tap * C) + (simple ? offset(h, w) : 0), h, w};
  }

  /// Whether they meet in the image, and where.
  template <bool simple> __device__ bool place(const Offset& r, const Offset& q, int& at) const {
    int h = r.h + q.h, w = r.w + q.w;
    if (!simple && (every_h > 1 || every_w > 1)) {
      if (h < 0 || w < 0 || h % every_h != 0 || w % every_w != 0) return false;
      h /= every_h, w /= every_w;
    }
    at = static_cast<int>(r.at + q.at + (simple ? 0 : offset(h, w)));
    return h >= 0 && h < H && w >= 0 && w < W;
  }

  /// Columns q … q + 3, of simple windows the first alone.
  template <bool simple> struct Columns {
    static constexpr int count = simple ? 1 : 4;
    Offset of[count];
  };
  template <bool simple> __device__ Columns<simple> columns_at(int q) const {
    Columns<simple> some;
    for (int l = 0; l < some.count; ++l) some.of[l] = column<simple>(q + l);
    return some;
  }

  /// Row r of these columns.
  template <bool simple> __device__ Vec4<real> four(const Offset& r, const Columns<simple>& q) const {
    Vec4<real> v{};
    int at = 0;
    if ((simple || fours) && place<simple>(r, q.of[0], at)) return at_once<4>(x, at);
    for (int l = 0; l < q.count; ++l) {
      if (q.of[l].h == ones && r.h != outside) v.v[l] = 1;
      if (!simple && !fours && place<simple>(r, q.of[l], at)) v.v[l] = x[at];
    }
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
  bool fours = false;  // N is a multiple of four, and neighbours can be read and written together

  /// v has the sums of columns n, n + 1, …
  template <int count> __device__ void put(int split, int m, int n, Vec<real, count> v) const {
    if (m >= M || n >= N) return;
    const int at = m * N + n, of_image = shift.empty() ? 0 : m / pixels * shifts_an_image;
    const Index of_split = Index{split} * M * N;
    if (fours) {
      if (!shift.empty()) v = v + at_once<count>(shift, of_image + n);
      if (!residual.empty()) v = v + at_once<count>(residual, at);
      at_once<count>(y, of_split + at) = v;
      return;
    }
    for (int l = 0; l < count && n + l < N; ++l) {
      if (!shift.empty()) v.v[l] += shift[of_image + n + l];
      if (!residual.empty()) v.v[l] += residual[at + l];
      y[of_split + at + l] = v.v[l];
    }
  }
};

/// The tile of block blockIdx.x: columns first, then rows, then splits. b (K,N); sums.N a multiple of 4 where
/// b_fours.
template <bool simple, bool transposed, int BM, int BN, template <bool, int, int> class Work>
__global__ void __launch_bounds__(threads, 2)
    tiled_product(const __grid_constant__ Windows a, Span<const real> b, bool b_fours,
                  const __grid_constant__ Sums sums) {
  using Tile = Work<transposed, BM, BN>;
  constexpr int R = transposed ? BK : BM, Q = transposed ? BM : BK;  // the slab of A, by rows
  constexpr int across_a = Q / 4, down_a = threads / across_a, a_each = R / down_a;
  constexpr int across_b = BN / 4, down_b = threads / across_b, b_each = (BK + down_b - 1) / down_b;
  static_assert(R % down_a == 0);
  DALE_SHARED(real, tile_a, R * Tile::pitch_a);
  DALE_SHARED(real, tile_b, BK * Tile::pitch_b);
  DALE_SHARED(Offset, slab_rows, transposed ? R : 1);

  const int t = static_cast<int>(threadIdx.x), tiles_n = (sums.N + BN - 1) / BN,
            tiles_m = (sums.M + BM - 1) / BM;
  const int block = static_cast<int>(blockIdx.x), n0 = block % tiles_n * BN,
            m0 = block / tiles_n % tiles_m * BM;
  const int split = block / (tiles_n * tiles_m), begin = split * sums.length;
  const int end = begin + sums.length < sums.K ? begin + sums.length : sums.K;

  // The thread's places in the slabs, and what stays the same for the whole tile: its rows, or its column.
  const int row_a = t / across_a, column_a = t % across_a * 4, row_b = t / across_b,
            column_b = t % across_b * 4;
  Offset rows[a_each];
  Windows::Columns<simple> columns;
  if constexpr (transposed)
    columns = a.columns_at<simple>(m0 + column_a);
  else
    for (int i = 0; i < a_each; ++i) rows[i] = a.row<simple>(m0 + row_a + i * down_a, sums.M);
  const auto fill_rows = [&](int k0) {
    if (transposed && t < R) slab_rows[t] = a.row<simple>(k0 + t, end);
  };

  Vec4<real> next_a[a_each], next_b[b_each];
  const auto fetch = [&](int k0) {
    if constexpr (!transposed) columns = a.columns_at<simple>(k0 + column_a);
#pragma unroll
    for (int i = 0; i < a_each; ++i) {
      if constexpr (transposed) rows[i] = slab_rows[row_a + i * down_a];
      next_a[i] = a.four<simple>(rows[i], columns);
    }
#pragma unroll
    for (int i = 0; i < b_each; ++i) {
      const int k = k0 + row_b + i * down_b, n = n0 + column_b;
      next_b[i] = {};
      if (row_b + i * down_b >= BK || k >= end) continue;
      if (b_fours && n < sums.N) next_b[i] = at_once<4>(b, k * sums.N + n);
      for (int l = 0; !b_fours && l < 4; ++l)
        if (n + l < sums.N) next_b[i].v[l] = b[k * sums.N + n + l];
    }
  };
  const auto rounded = [](Vec4<real> v) {
    for (real& number : v.v) number = Tile::rounded(number);
    return v;
  };
  const auto write = [&] {
#pragma unroll
    for (int i = 0; i < a_each; ++i)
      put(&tile_a[(row_a + i * down_a) * Tile::pitch_a + column_a], rounded(next_a[i]));
#pragma unroll
    for (int i = 0; i < b_each; ++i)
      if (row_b + i * down_b < BK)
        put(&tile_b[(row_b + i * down_b) * Tile::pitch_b + column_b], rounded(next_b[i]));
  };

  Tile work;
  fill_rows(begin);
  if (transposed) __syncthreads();
  if (begin < end) fetch(begin);
  for (int k0 = begin; k0 < end; k0 += BK) {
    __syncthreads();
    write();
    fill_rows(k0 + BK);
    __syncthreads();
    if (k0 + BK < end) fetch(k0 + BK);
    work.add(tile_a, tile_b);
  }
  work.each([&](int m, int n, auto v) { sums.put(split, m0 + m, n0 + n, v); });
}

}  // namespace dale::cuda
