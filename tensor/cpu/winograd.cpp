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

/// Bᵀ: a row of six pixels.
inline void window(const Lanes (&d)[6], Lanes (&v)[6]) {
  const Lanes even_p = d[4] - qq * d[2], odd_p = p * (d[3] - qq * d[1]);
  const Lanes even_q = d[4] - pp * d[2], odd_q = q * (d[3] - pp * d[1]);
  v[0] = at_0 * d[0] - (pp + qq) * d[2] + d[4];
  v[1] = even_p + odd_p;
  v[2] = even_p - odd_p;
  v[3] = even_q + odd_q;
  v[4] = even_q - odd_q;
  v[5] = at_0 * d[1] - (pp + qq) * d[3] + d[5];
}

/// G: three taps; and its adjoint Gᵀ.
inline void taps(const Lanes (&w)[3], Lanes (&u)[6]) {
  const Lanes even_p = (w[0] + pp * w[2]) * (1 / at_p), odd_p = w[1] * (p / at_p);
  const Lanes even_q = (w[0] + qq * w[2]) * (1 / at_q), odd_q = w[1] * (q / at_q);
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
  w[0] = u[0] * (1 / at_0) + even_p + even_q;
  w[1] = odd_p + odd_q;
  w[2] = pp * even_p + qq * even_q + u[5];
}

/// A: four pixels of a tile; and its adjoint Aᵀ.
inline void tile(const Lanes (&y)[4], Lanes (&m)[6]) {
  const Lanes even_p = y[0] + pp * y[2], odd_p = p * y[1] + (p * pp) * y[3];
  const Lanes even_q = y[0] + qq * y[2], odd_q = q * y[1] + (q * qq) * y[3];
  m[0] = y[0];
  m[1] = even_p + odd_p;
  m[2] = even_p - odd_p;
  m[3] = even_q + odd_q;
  m[4] = even_q - odd_q;
  m[5] = y[3];
}
inline void tile_adjoint(const Lanes (&m)[6], Lanes (&y)[4]) {
  const Lanes even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
  y[0] = m[0] + even_p + even_q;
  y[1] = p * odd_p + q * odd_q;
  y[2] = pp * even_p + qq * even_q;
  y[3] = (p * pp) * odd_p + (q * qq) * odd_q + m[5];
}

/// out = F in Fᵀ for the matrix F that `step` multiplies by: down the columns, then along the rows.
template <int To, int From, class Step>
inline void both_axes(const Lanes (&in)[From][From], Lanes (&out)[To][To], const Step& step) {
  Lanes half[To][From];
  for (int j = 0; j < From; ++j) {
    Lanes column[From], done[To];
    for (int i = 0; i < From; ++i) column[i] = in[i][j];
    step(column, done);
    for (int i = 0; i < To; ++i) half[i][j] = done[i];
  }
  for (int i = 0; i < To; ++i) step(half[i], out[i]);
}

/// Images (N,H,W,C) cut into 4×4 tiles, the last of a row or column reaching over the edge.
struct Tiling {
  Index N, H, W, C;
  Index rows = (H + 3) / 4, columns = (W + 3) / 4, tiles = N * rows * columns;

  struct Place {
    Index n, top, left;
  };
  Place operator[](Index t) const { return {t / (rows * columns), t / columns % rows * 4, t % columns * 4}; }
  /// Where pixel (h,w) of image n has its channels, or nullptr outside of the image.
  template <class T>
  T* pixel(T* images, Index n, Index h, Index w) const {
    const bool inside = h >= 0 && h < H && w >= 0 && w < W;
    return inside ? images + ((n * H + h) * W + w) * C : nullptr;
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

/// V_ξ[t − begin, c] of the tiles [begin, end) of a result with ph×pw padding around x, rows of
/// whole_lanes(C).
void transform_windows(const Tiling& x, const Tiling& y, Index ph, Index pw, const real* images, Index begin,
                       Index end, real* V) {
  const Index width = whole_lanes(x.C), plane = plane_size((end - begin) * width);
  for (Index t = begin; t < end; ++t, V += width) {
    const auto [n, top, left] = y[t];
    const real* at[6][6];
    for (int i = 0; i < 6; ++i)
      for (int j = 0; j < 6; ++j) at[i][j] = x.pixel(images, n, top - ph + i, left - pw + j);
    for_lanes(x.C, [&](Index c, auto part) {
      Lanes d[6][6], v[6][6];
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j) d[i][j] = at[i][j] ? load(at[i][j] + c, part) : Lanes{};
      both_axes(d, v, window);
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j) store(V + (i * 6 + j) * plane + c, v[i][j]);
    });
  }
}

/// Y_ξ[t − begin, o] of the tiles [begin, end) of y, rows of whole_lanes(O).
void transform_tiles(const Tiling& y, const real* images, Index begin, Index end, real* Y) {
  const Index width = whole_lanes(y.C), plane = plane_size((end - begin) * width);
  for (Index t = begin; t < end; ++t, Y += width) {
    const Tiling::Place corner = y[t];
    for_lanes(y.C, [&](Index o, auto part) {
      Lanes d[4][4], m[6][6];
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
          const real* at = y.pixel(images, corner.n, corner.top + i, corner.left + j);
          d[i][j] = at ? load(at + o, part) : Lanes{};
        }
      both_axes(d, m, tile);
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j) store(Y + (i * 6 + j) * plane + o, m[i][j]);
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
  for (Index t = begin; t < end; ++t, M += width) {
    const Tiling::Place corner = y[t];
    const real* shift = add.shift.empty() ? nullptr : add.shift.data() + corner.n * per_image;
    for_lanes(O, [&](Index o, auto part) {
      Lanes m[6][6], out[4][4];
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j) m[i][j] = load(M + (i * 6 + j) * plane + o);
      both_axes(m, out, tile_adjoint);
      const Lanes added = shift ? load(shift + o, part) : Lanes{};
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
          real* at = y.pixel(images, corner.n, corner.top + i, corner.left + j);
          if (!at) continue;
          const Lanes sum = out[i][j] + added;
          const real* residual = add.residual.empty() ? nullptr : add.residual.data() + (at - images);
          store(at + o, residual ? sum + load(residual + o, part) : sum, part);
        }
    });
  }
}

/// U_ξ[c, o] of taps w (out,in,3,3), as (36, in, whole_lanes(out)); or of taps (in,out,3,3) turned by half.
void transform_taps(Index in, Index out, bool turned, const real* w, real* U) {
  const Index width = whole_lanes(out);
  parallel(in, [&](Index c) {
    for (Index o = 0; o < width; o += lanes) {
      Lanes g[3][3], u[6][6];
      for (int k = 0; k < 9; ++k)
        for (Index l = 0; l < lanes; ++l) {
          const Index from = turned ? (c * out + o + l) * 9 + 8 - k : ((o + l) * in + c) * 9 + k;
          g[k / 3][k % 3][l] = o + l < out ? w[from] : 0;
        }
      both_axes(g, u, taps);
      for (int xi = 0; xi < 36; ++xi) store(U + (xi * in + c) * width + o, u[xi / 6][xi % 6]);
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
      product(count, O, C, rows_of(V.data() + xi * V_plane, row), right_rows(U + xi * C * O, O), false,
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
  const Scratch U(36 * s.C * whole_lanes(s.O));
  transform_taps(s.C, s.O, false, w.data(), U.data());
  correlate({s.N, s.H, s.W, s.C}, {s.N, s.OH, s.OW, s.O}, s.ph, s.pw, x.data(), U.data(), {shift, residual},
            y.data());
}

void conv2d_input(const ConvShape& s, std::span<const real> y, std::span<const real> w, std::span<real> x) {
  const Scratch U(36 * s.O * whole_lanes(s.C));
  transform_taps(s.O, s.C, true, w.data(), U.data());
  correlate({s.N, s.OH, s.OW, s.O}, {s.N, s.H, s.W, s.C}, 2 - s.ph, 2 - s.pw, y.data(), U.data(), {},
            x.data());
}

void conv2d_weight(const ConvShape& s, std::span<const real> x, std::span<const real> y, std::span<real> w) {
  const Tiling tx{s.N, s.H, s.W, s.C}, ty{s.N, s.OH, s.OW, s.O};
  const Index C = s.C, row = whole_lanes(C), O = whole_lanes(s.O), T = block_tiles(ty.tiles, C, s.O);
  const Index blocks = (ty.tiles + T - 1) / T, parts = std::min<Index>(8, blocks), size = 36 * C * O;
  const Scratch sums(parts * size);  // of Vᵀ Y over the blocks of a part; the parts are added in order
  parallel(parts, [&](Index part) {
    const Scratch V(36 * plane_size(T * row)), Y(36 * plane_size(T * O));
    const Index first = part * blocks / parts;
    for (Index block = first; block < (part + 1) * blocks / parts; ++block) {
      const Index begin = block * T, end = std::min(ty.tiles, begin + T), count = end - begin;
      transform_windows(tx, ty, s.ph, s.pw, x.data(), begin, end, V.data());
      transform_tiles(ty, y.data(), begin, end, Y.data());
      for (Index xi = 0; xi < 36; ++xi)
        product(C, O, count, columns_of(V.data() + xi * plane_size(count * row), row),
                right_rows(Y.data() + xi * plane_size(count * O), O), block != first,
                sums.data() + part * size + xi * C * O, O);
    }
  });
  parallel(C, [&](Index c) {
    for (Index o = 0; o < s.O; o += lanes) {
      Lanes m[6][6], g[3][3];
      for (int xi = 0; xi < 36; ++xi) {
        const real* at = sums.data() + (xi * C + c) * O + o;
        m[xi / 6][xi % 6] = load(at);
        for (Index part = 1; part < parts; ++part) m[xi / 6][xi % 6] += load(at + part * size);
      }
      both_axes(m, g, taps_adjoint);
      for (Index l = 0; l < std::min(lanes, s.O - o); ++l)
        for (int k = 0; k < 9; ++k) w[((o + l) * C + c) * 9 + k] = g[k / 3][k % 3][l];
    }
  });
}

}  // namespace dale::cpu::winograd
