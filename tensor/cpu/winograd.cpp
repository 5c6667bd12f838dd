// Winograd's convolution F(4×4, 3×3) (Lavin & Gray 2016): a 4×4 tile of y from the 6×6 window d of x above it,
//
//   y = Aᵀ [ Σ_c (G w Gᵀ) ∘ (Bᵀ d B) ] A                                                          (1)
//
// 36 products a pair of channels in place of 144. It is multiplication of polynomials by values: two of degree
// 2 and 3 have a product of degree 5, which its values at 0, ±p, ±q and ∞ determine. G and A evaluate, B is
// their interpolation transposed. With V = Bᵀ d B, U = G w Gᵀ and Y = A y Aᵀ the trilinear form of kernels.h is
//
//   T(x,w,y) = Σ_ξ Σ_tiles Σ_c,o  V_ξ[tile,c] U_ξ[c,o] Y_ξ[tile,o]        ξ = 1 … 36               (2)
//
// so all three kernels are 36 matrix products between transforms:
//   ∂T/∂y = Aᵀ (V U) A,    ∂T/∂w = Gᵀ (Vᵀ Y) G,    and ∂T/∂x is ∂T/∂y with w turned by half and O ↔ C.
//
// Channels are contiguous, so transforms run over lanes of channels. A block of tiles passes through all three
// stages while it is in the second-level cache.
#include "tensor/cpu/winograd.h"
#include "tensor/cpu/loops.h"

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/product.h"
#include "tensor/cpu/scratch.h"

namespace dale::cpu::winograd {
namespace {

// The points ±p, ±q: at ±11/16, ±11/8 rounding errors are half of those at the usual ±1, ±2, and all of their
// powers here are exact.
constexpr real p = 0.6875, q = 1.375, pp = p * p, qq = q * q;
// What G divides by, Π (point − other point): at 0, ±p, ±q.
constexpr real at_0 = pp * qq, at_p = 2 * pp * (pp - qq), at_q = 2 * qq * (qq - pp);

/// a b + c for a number a.
inline Lanes plus(real a, const Lanes& b, const Lanes& c) { return multiply_add(splat(a), b, c); }

/// Bᵀ: a row of six pixels.
inline void window(const Lanes (&d)[6], Lanes (&v)[6]) {
  const Lanes even_p = plus(-qq, d[2], d[4]), odd_p = plus(-qq, d[1], d[3]);
  const Lanes even_q = plus(-pp, d[2], d[4]), odd_q = plus(-pp, d[1], d[3]);
  v[0] = plus(at_0, d[0], plus(-(pp + qq), d[2], d[4]));
  v[1] = plus(p, odd_p, even_p);
  v[2] = plus(-p, odd_p, even_p);
  v[3] = plus(q, odd_q, even_q);
  v[4] = plus(-q, odd_q, even_q);
  v[5] = plus(at_0, d[1], plus(-(pp + qq), d[3], d[5]));
}

/// G: three taps; and its adjoint Gᵀ.
inline void taps(const Lanes (&w)[3], Lanes (&u)[6]) {
  const Lanes even_p = plus(pp, w[2], w[0]) * (1 / at_p), odd_p = w[1] * (p / at_p);
  const Lanes even_q = plus(qq, w[2], w[0]) * (1 / at_q), odd_q = w[1] * (q / at_q);
  u[0] = w[0] * (1 / at_0);
  u[1] = even_p + odd_p;
  u[2] = even_p - odd_p;
  u[3] = even_q + odd_q;
  u[4] = even_q - odd_q;
  u[5] = w[2];
}
inline void taps_adjoint(const Lanes (&u)[6], Lanes (&w)[3]) {
  const Lanes even_p = (u[1] + u[2]) * (1 / at_p), odd_p = (u[1] - u[2]) * (p / at_p);
  const Lanes even_q = (u[3] + u[4]) * (1 / at_q), odd_q = (u[3] - u[4]) * (q / at_q);
  w[0] = plus(1 / at_0, u[0], even_p + even_q);
  w[1] = odd_p + odd_q;
  w[2] = plus(pp, even_p, plus(qq, even_q, u[5]));
}

/// A: four pixels of a tile; and its adjoint Aᵀ.
inline void tile(const Lanes (&y)[4], Lanes (&m)[6]) {
  const Lanes even_p = plus(pp, y[2], y[0]), odd_p = plus(pp, y[3], y[1]);
  const Lanes even_q = plus(qq, y[2], y[0]), odd_q = plus(qq, y[3], y[1]);
  m[0] = y[0];
  m[1] = plus(p, odd_p, even_p);
  m[2] = plus(-p, odd_p, even_p);
  m[3] = plus(q, odd_q, even_q);
  m[4] = plus(-q, odd_q, even_q);
  m[5] = y[3];
}
inline void tile_adjoint(const Lanes (&m)[6], Lanes (&y)[4]) {
  const Lanes even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
  y[0] = m[0] + even_p + even_q;
  y[1] = plus(p, odd_p, q * odd_q);
  y[2] = plus(pp, even_p, qq * even_q);
  y[3] = plus(p * pp, odd_p, plus(q * qq, odd_q, m[5]));
}

/// out = F in Fᵀ for the matrix F (To,From) that `step` multiplies by, down the columns, then along the rows:
/// reads in[i][j] by get(i, j) and hands out[i][j] to put(i, j, value).
template <int To, int From, class Step, class Get, class Put>
inline void both_axes(const Step& step, const Get& get, const Put& put) {
  Lanes half[To][From];
  DALE_UNROLL for (int j = 0; j < From; ++j) {
    Lanes column[From], done[To];
    DALE_UNROLL for (int i = 0; i < From; ++i) column[i] = get(i, j);
    step(column, done);
    DALE_UNROLL for (int i = 0; i < To; ++i) half[i][j] = done[i];
  }
  DALE_UNROLL for (int i = 0; i < To; ++i) {
    Lanes row[To];
    step(half[i], row);
    DALE_UNROLL for (int j = 0; j < To; ++j) put(i, j, row[j]);
  }
}

/// Images (N,H,W,C) cut into 4×4 tiles, the last of a row or column reaching over the edge.
struct Tiling {
  Index N, H, W, C;
  Index rows = (H + 3) / 4, columns = (W + 3) / 4, tiles = N * rows * columns;

  /// Where the n×n pixels from the corner of tile t, moved by (down, right), have their channels in `images`;
  /// `outside` for those that lie outside of an image H×W.
  template <int n, class T>
  void pixels(Index t, Index down, Index right, const Tiling& of, T* images, T* outside, T* (&at)[n][n]) const {
    const Index image = t / (rows * columns), top = t / columns % rows * 4 + down, left = t % columns * 4 + right;
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j) {
        const bool inside = top + i >= 0 && top + i < of.H && left + j >= 0 && left + j < of.W;
        at[i][j] = inside ? images + ((image * of.H + top + i) * of.W + left + j) * of.C : outside;
      }
  }
};

/// Room for n numbers before the next of 36 planes: an odd number of cache lines, so that the places of one
/// tile in all planes do not compete for the same few sets of the first-level cache.
constexpr Index plane_size(Index n) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(real));
  return ((n + line - 1) / line | 1) * line;
}

/// Tiles a block has, so that its V and its products, 36 (C + O) numbers a tile, fill half of a second-level
/// cache of 1 MiB; fewer where there would be less than 16 blocks. A multiple of 12, which tiles of registers
/// fill. It cuts the sums of conv2d_weight, so it may depend on shapes alone.
Index block_tiles(Index tiles, Index C, Index O) {
  constexpr Index rows = 12, budget = (Index{512} << 10) / static_cast<Index>(sizeof(real));
  const Index fit = budget / (36 * (C + O)) / rows, share = (tiles / 16 + rows - 1) / rows;
  return rows * std::max<Index>(1, std::min(fit, share));
}

/// V_ξ[t − begin, c] of the tiles [begin, end) of a result y with ph×pw padding around x, rows of
/// whole_lanes(C). Here and below the pixels of the next tile are asked for while one is transformed.
void transform_windows(const Tiling& x, const Tiling& y, Index ph, Index pw, const real* images, Index begin,
                       Index end, real* V) {
  const Index width = whole_lanes(x.C), plane = plane_size((end - begin) * width);
  const Scratch zeros(x.C);
  std::fill_n(zeros.data(), x.C, real(0));
  const real *at[6][6], *next[6][6];
  const real* outside = zeros.data();
  y.pixels(begin, -ph, -pw, x, images, outside, next);
  for (Index t = begin; t < end; ++t, V += width) {
    std::memcpy(at, next, sizeof at);
    y.pixels(std::min(t + 1, end - 1), -ph, -pw, x, images, outside, next);
    for_lanes(x.C, [&](Index c, auto part) {
      const auto get = [&](int i, int j) {
        __builtin_prefetch(next[i][j] + c);
        return load(at[i][j] + c, part);
      };
      both_axes<6, 6>(window, get, [&](int i, int j, const Lanes& v) { store(V + (i * 6 + j) * plane + c, v); });
    });
  }
}

/// Y_ξ[t − begin, o] of the tiles [begin, end) of y, a right factor in panels.
void transform_tiles(const Tiling& y, const real* images, Index begin, Index end, real* Y) {
  const Index count = end - begin, plane = plane_size(count * whole_panels(y.C));
  const Scratch zeros(y.C);
  std::fill_n(zeros.data(), y.C, real(0));
  const real *at[4][4], *next[4][4];
  const real* outside = zeros.data();
  y.pixels(begin, 0, 0, y, images, outside, next);
  for (Index t = begin; t < end; ++t) {
    std::memcpy(at, next, sizeof at);
    y.pixels(std::min(t + 1, end - 1), 0, 0, y, images, outside, next);
    for_lanes(y.C, [&](Index o, auto part) {
      const auto get = [&](int i, int j) {
        __builtin_prefetch(next[i][j] + o);
        return load(at[i][j] + o, part);
      };
      real* to = Y + packed_place(count, t - begin, o);
      both_axes<6, 4>(tile, get, [&](int i, int j, const Lanes& m) { store(to + (i * 6 + j) * plane, m); });
    });
  }
}

/// What conv2d adds to its result.
struct Addends {
  std::span<const real> shift, residual;  // as in kernels.h
};

/// The tiles [begin, end) of y = Aᵀ M A + shift + residual from M_ξ[t − begin, o], rows of whole_lanes(O).
void finish_tiles(const Tiling& y, const real* M, Index begin, Index end, const Addends& add, real* images) {
  const Index O = y.C, width = whole_lanes(O), plane = plane_size((end - begin) * width);
  const Index per_image = static_cast<Index>(add.shift.size()) == O ? 0 : O;
  real *at[4][4], *next[4][4];
  real* outside = nullptr;
  y.pixels(begin, 0, 0, y, images, outside, next);
  for (Index t = begin; t < end; ++t, M += width) {
    std::memcpy(at, next, sizeof at);
    y.pixels(std::min(t + 1, end - 1), 0, 0, y, images, outside, next);
    const Index image = t / (y.rows * y.columns);
    const real* shift = add.shift.empty() ? nullptr : add.shift.data() + image * per_image;
    for_lanes(O, [&](Index o, auto part) {
      const Lanes added = shift ? load(shift + o, part) : Lanes{};
      const auto get = [&](int i, int j) { return load(M + (i * 6 + j) * plane + o); };
      both_axes<4, 6>(tile_adjoint, get, [&](int i, int j, const Lanes& out) {
        __builtin_prefetch(next[i][j] + o, 1);
        if (!at[i][j]) return;
        const Lanes sum = out + added;
        const real* residual = add.residual.empty() ? nullptr : add.residual.data() + (at[i][j] - images);
        store(at[i][j] + o, residual ? sum + load(residual + o, part) : sum, part);
      });
    });
  }
}

/// U_ξ[c, o] of taps w (out,in,3,3), 36 right factors in panels (product.h), each in·whole_panels(out) numbers;
/// or of taps (in,out,3,3) turned by half.
void transform_taps(Index in, Index out, bool turned, const real* w, real* U) {
  const Index plane = in * whole_panels(out);
  parallel(in, [&](Index c) {
    for (Index o = 0; o < whole_lanes(out); o += lanes) {
      real* to = U + packed_place(in, c, o);
      const auto get = [&](int i, int j) {
        Lanes g{};
        for (Index l = 0, k = i * 3 + j; l < std::min(lanes, out - o); ++l)
          g[l] = w[turned ? (c * out + o + l) * 9 + 8 - k : ((o + l) * in + c) * 9 + k];
        return g;
      };
      both_axes<6, 3>(taps, get, [&](int i, int j, const Lanes& u) { store(to + (i * 6 + j) * plane, u); });
    }
  });
}

/// y = Aᵀ (V U) A + shift + residual.
void correlate(const Tiling& x, const Tiling& y, Index ph, Index pw, const real* from, const real* U,
               const Addends& add, real* to) {
  const Index C = x.C, row = whole_lanes(C), O = whole_lanes(y.C), T = block_tiles(y.tiles, C, y.C);
  parallel((y.tiles + T - 1) / T, [&](Index block) {
    const Index begin = block * T, end = std::min(y.tiles, begin + T), count = end - begin;
    const Index V_plane = plane_size(count * row), M_plane = plane_size(count * O);
    const Scratch V(36 * V_plane), M(36 * M_plane);
    transform_windows(x, y, ph, pw, from, begin, end, V.data());
    for (Index xi = 0; xi < 36; ++xi)
      product(count, O, C, rows_of(V.data() + xi * V_plane, row), packed(U + xi * C * whole_panels(y.C), C), false,
              M.data() + xi * M_plane, O);
    finish_tiles(y, M.data(), begin, end, add, to);
  });
}

}  // namespace

bool pays(const ConvShape& s) {
  const bool taps_and_steps =
      s.kh == 3 && s.kw == 3 && s.sh == 1 && s.sw == 1 && s.dh == 1 && s.dw == 1 && s.ph <= 2 && s.pw <= 2;
  const Index tiled = (s.OH + 3) / 4 * ((s.OW + 3) / 4) * 36, direct = s.OH * s.OW * 9;
  return taps_and_steps && s.C >= 8 && s.O >= 8 && tiled < direct;
}

void conv2d(const ConvShape& s, std::span<const real> x, std::span<const real> w, std::span<const real> shift,
            std::span<const real> residual, std::span<real> y) {
  const Scratch U(36 * s.C * whole_panels(s.O));
  transform_taps(s.C, s.O, false, w.data(), U.data());
  correlate({s.N, s.H, s.W, s.C}, {s.N, s.OH, s.OW, s.O}, s.ph, s.pw, x.data(), U.data(), {shift, residual},
            y.data());
}

void conv2d_input(const ConvShape& s, std::span<const real> y, std::span<const real> w, std::span<real> x) {
  const Scratch U(36 * s.O * whole_panels(s.C));
  transform_taps(s.O, s.C, true, w.data(), U.data());
  correlate({s.N, s.OH, s.OW, s.O}, {s.N, s.H, s.W, s.C}, 2 - s.ph, 2 - s.pw, y.data(), U.data(), {},
            x.data());
}

void conv2d_weight(const ConvShape& s, std::span<const real> x, std::span<const real> y, std::span<real> w) {
  const Tiling tx{s.N, s.H, s.W, s.C}, ty{s.N, s.OH, s.OW, s.O};
  const Index C = s.C, row = whole_lanes(C), O = whole_lanes(s.O), size = 36 * C * O;
  const Index parts = std::clamp<Index>(ty.tiles / 24, 1, 8);
  const Index fit = std::max<Index>(12, (Index{640} << 10) / static_cast<Index>(sizeof(real)) / (36 * (C + O)));
  const Scratch sums(parts * size);  // of Vᵀ Y over the tiles of a part; the parts are added in order
  parallel(parts, [&](Index part) {
    const Index first = part * ty.tiles / parts, last = (part + 1) * ty.tiles / parts;
    const Index blocks = std::max<Index>(1, (last - first + fit - 1) / fit), T = (last - first + blocks - 1) / blocks;
    const Scratch V(36 * plane_size(T * row)), Y(36 * plane_size(T * whole_panels(O)));
    for (Index begin = first; begin == first || begin < last; begin += T) {
      const Index end = std::min(last, begin + T), count = end - begin;
      transform_windows(tx, ty, s.ph, s.pw, x.data(), begin, end, V.data());
      transform_tiles(ty, y.data(), begin, end, Y.data());
      for (Index xi = 0; xi < 36; ++xi)
        product(C, O, count, columns_of(V.data() + xi * plane_size(count * row), row),
                packed(Y.data() + xi * plane_size(count * whole_panels(O)), count), begin != first,
                sums.data() + part * size + xi * C * O, O);
    }
  });
  parallel_ranges(size, [&](Index begin, Index end) {
    real* total = sums.data();
    for (Index part = 1; part < parts; ++part)
      DALE_INDEPENDENT for (Index i = begin; i < end; ++i) total[i] += total[part * size + i];
  });
  parallel(C, [&](Index c) {
    for (Index o = 0; o < s.O; o += lanes) {
      const auto get = [&](int i, int j) { return load(sums.data() + ((i * 6 + j) * C + c) * O + o); };
      both_axes<3, 6>(taps_adjoint, get, [&](int i, int j, const Lanes& g) {
        for (Index l = 0; l < std::min(lanes, s.O - o); ++l) w[((o + l) * C + c) * 9 + i * 3 + j] = g[l];
      });
    }
  });
}

}  // namespace dale::cpu::winograd
