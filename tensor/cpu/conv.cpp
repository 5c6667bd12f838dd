// Convolution and its two adjoints, the derivatives of the trilinear form T (kernels.h), as matrix products.
//
// unfold writes the window of every output pixel as a column: col[(c,a,b), (i,j)] = x[c, i·sh−ph+a·dh,
// j·sw−pw+b·dw]. Then, an image at a time,
//   y  = w · col        (O × CKK)·(CKK × pixels)
//   x  = fold(wᵀ · y)   fold is unfold's adjoint: it adds the columns back where they came from
//   w += y · colᵀ
// A tile of output rows at a time, so that col stays in the second-level cache.
#include <cstring>
#include <vector>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/machine.h"
#include "tensor/cpu/parallel.h"

namespace dale::cpu {
namespace {

/// Output columns [begin, end) whose tap b reads inside the image's width.
struct Inside {
  Index begin, end;
};
Inside inside(Index length, Index out, Index stride, Index padding, Index shift) {
  const Index first = padding - shift;  // stride·j ≥ first
  const Index begin = first <= 0 ? 0 : (first + stride - 1) / stride;
  const Index last = length - 1 + padding - shift;  // stride·j ≤ last
  const Index end = last < 0 ? 0 : last / stride + 1;
  return {std::min(begin, out), std::max(std::min(begin, out), std::min(end, out))};
}

void unfold(const ConvShape& s, const real* x, Index row_begin, Index row_end, real* col) {
  for (Index c = 0; c < s.C; ++c)
    for (Index a = 0; a < s.kh; ++a)
      for (Index b = 0; b < s.kw; ++b) {
        const Inside columns = inside(s.W, s.OW, s.sw, s.pw, b * s.dw);
        for (Index i = row_begin; i < row_end; ++i, col += s.OW) {
          const Index h = i * s.sh - s.ph + a * s.dh;
          if (h < 0 || h >= s.H) {
            std::fill(col, col + s.OW, real(0));
            continue;
          }
          const real* row = x + (c * s.H + h) * s.W - s.pw + b * s.dw;
          std::fill(col, col + columns.begin, real(0));
          if (s.sw == 1)
            std::copy(row + columns.begin, row + columns.end, col + columns.begin);
          else
            for (Index j = columns.begin; j < columns.end; ++j) col[j] = row[j * s.sw];
          std::fill(col + columns.end, col + s.OW, real(0));
        }
      }
}

void fold(const ConvShape& s, const real* col, Index row_begin, Index row_end, real* x) {
  for (Index c = 0; c < s.C; ++c)
    for (Index a = 0; a < s.kh; ++a)
      for (Index b = 0; b < s.kw; ++b) {
        const Inside columns = inside(s.W, s.OW, s.sw, s.pw, b * s.dw);
        for (Index i = row_begin; i < row_end; ++i, col += s.OW) {
          const Index h = i * s.sh - s.ph + a * s.dh;
          if (h < 0 || h >= s.H) continue;
          real* row = x + (c * s.H + h) * s.W - s.pw + b * s.dw;
          if (s.sw == 1)
            for (Index j = columns.begin; j < columns.end; ++j) row[j] += col[j];
          else
            for (Index j = columns.begin; j < columns.end; ++j) row[j * s.sw] += col[j];
        }
      }
}

/// Output rows a tile, so that a tile of col holds about 64 Ki numbers.
Index tile_rows(const ConvShape& s) {
  return std::clamp<Index>(65536 / std::max<Index>(1, s.C * s.kh * s.kw * s.OW), 1, std::max<Index>(1, s.OH));
}

bool pointwise(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.sh == 1 && s.sw == 1 && s.ph == 0 && s.pw == 0;
}

/// Calls f(first row, number of pixels, col, ldcol) for each tile of an image's output, with room for col.
template <class F>
void for_tiles(const ConvShape& s, const F& f) {
  thread_local std::vector<real> col;
  const Index rows = tile_rows(s), K = s.C * s.kh * s.kw;
  if (static_cast<Index>(col.size()) < K * rows * s.OW) col.resize(static_cast<std::size_t>(K * rows * s.OW));
  for (Index i = 0; i < s.OH; i += rows) f(i, std::min(s.OH, i + rows), col.data());
}

}  // namespace

void conv2d(const ConvShape& s, std::span<const real> x, std::span<const real> w, std::span<real> y) {
  const Index K = s.C * s.kh * s.kw, L = s.OH * s.OW;
  if (K == 0) return fill(y, 0);
  if (y.empty()) return;
  parallel(s.N, [&](Index n) {
    const real* image = x.data() + n * s.C * s.H * s.W;
    real* out = y.data() + n * s.O * L;
    if (pointwise(s)) return gemm(false, false, s.O, L, K, w.data(), K, image, L, 0, out, L);
    for_tiles(s, [&](Index begin, Index end, real* col) {
      const Index pixels = (end - begin) * s.OW;
      unfold(s, image, begin, end, col);
      gemm(false, false, s.O, pixels, K, w.data(), K, col, pixels, 0, out + begin * s.OW, L);
    });
  });
}

void conv2d_input(const ConvShape& s, std::span<const real> y, std::span<const real> w, std::span<real> x) {
  const Index K = s.C * s.kh * s.kw, L = s.OH * s.OW;
  if (s.O == 0 || L == 0 || K == 0) return fill(x, 0);
  parallel(s.N, [&](Index n) {
    const real* upstream = y.data() + n * s.O * L;
    real* image = x.data() + n * s.C * s.H * s.W;
    if (pointwise(s)) return gemm(true, false, K, L, s.O, w.data(), K, upstream, L, 0, image, L);
    std::fill(image, image + s.C * s.H * s.W, real(0));
    for_tiles(s, [&](Index begin, Index end, real* col) {
      const Index pixels = (end - begin) * s.OW;
      gemm(true, false, K, pixels, s.O, w.data(), K, upstream + begin * s.OW, L, 0, col, pixels);
      fold(s, col, begin, end, image);
    });
  });
}

void conv2d_weight(const ConvShape& s, std::span<const real> x, std::span<const real> y, std::span<real> w) {
  const Index K = s.C * s.kh * s.kw, L = s.OH * s.OW, size = s.O * K;
  constexpr Index group = 4;  // images that share a partial sum; the partial sums are added in order
  const Index groups = (s.N + group - 1) / group;
  std::vector<real> partial(static_cast<std::size_t>(groups * size));
  if (L > 0 && size > 0)
    parallel(groups, [&](Index p) {
      real* sum = partial.data() + p * size;
      for (Index n = p * group; n < std::min(s.N, (p + 1) * group); ++n) {
        const real* image = x.data() + n * s.C * s.H * s.W;
        const real* upstream = y.data() + n * s.O * L;
        if (pointwise(s)) {
          gemm(false, true, s.O, K, L, upstream, L, image, L, 1, sum, K);
          continue;
        }
        for_tiles(s, [&](Index begin, Index end, real* col) {
          const Index pixels = (end - begin) * s.OW;
          unfold(s, image, begin, end, col);
          gemm(false, true, s.O, K, pixels, upstream + begin * s.OW, L, col, pixels, 1, sum, K);
        });
      }
    });
  parallel_ranges(size, [&](Index begin, Index end) {
    std::fill(w.begin() + begin, w.begin() + end, real(0));
    for (Index p = 0; p < groups; ++p)
      for (Index i = begin; i < end; ++i) w[i] += partial[p * size + i];
  });
}

}  // namespace dale::cpu
