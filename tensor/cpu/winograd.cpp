// Winograd's convolution F(4×4, 3×3) (Lavin & Gray 2016): a 4×4 tile of y from the 6×6 window d of x above
// it, by (I.10)
//
//   y = Aᵀ [ Σ_c (G w Gᵀ) ∘ (Bᵀ d B) ] A
//
// 36 products a pair of channels in place of 144. It is multiplication of polynomials by values: two of
// degree 2 and 3 have a product of degree 5, which its values at 0, ±p, ±q and ∞ determine. G and A evaluate,
// B is their interpolation transposed. With V = Bᵀ d B, U = G w Gᵀ and Y = A y Aᵀ the trilinear form of
// kernels.h is (I.11),
//
//   T(x,w,y) = Σ_ξ Σ_tiles Σ_c,o  V_ξ[tile,c] U_ξ[c,o] Y_ξ[tile,o]        ξ = 1 … 36
//
// so all three kernels are 36 matrix products between transforms:
//   ∂T/∂y = Aᵀ (V U) A,    ∂T/∂w = Gᵀ (Vᵀ Y) G,    and ∂T/∂x is ∂T/∂y with w turned by half and O ↔ C.
//
// Channels are contiguous, so transforms run over lanes of channels. A block of tiles passes through all
// three stages while it is in the second-level cache.
#include "tensor/cpu/winograd.h"

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/product.h"
#include "tensor/cpu/winograd_matrices.h"
#include "tensor/walk.h"

namespace dale::cpu::winograd {
namespace {

/// Images (N,H,W,C) cut into 4×4 tiles, the last of a row or column reaching over the edge.
struct Tiling {
  Index N, H, W, C;
  Index rows = (H + 3) / 4, columns = (W + 3) / 4, tiles = N * rows * columns;
};

/// Where the n×n pixels from (top,left) on have their channels in an image; `outside` for those that are
/// not in it.
template <int n, class T>
void find_pixels(const Tiling& of, T* images, Index image, Index top, Index left, T* outside,
                 T* (&at)[n][n]) {
  DALE_UNROLL for (Index i = 0; i < n; ++i) {
    const bool row_inside = top + i >= 0 && top + i < of.H;
    T* row = images + ((image * of.H + top + i) * of.W + left) * of.C;
    DALE_UNROLL for (Index j = 0; j < n; ++j) at[i][j] =
        row_inside && left + j >= 0 && left + j < of.W ? row + j * of.C : outside;
  }
}

/// Calls f(t, image, at, next) for the tiles [begin, end) of y: at[i][j] are the n×n pixels of `of` from
/// the tile's corner on, moved by (down, right); next those of the tile after it, to be asked for early.
template <int n, class T, class F>
void for_tiles(const Tiling& y, Index begin, Index end, Index down, Index right, const Tiling& of, T* images,
               std::type_identity_t<T>* outside, const F& f) {
  Index image = begin / (y.rows * y.columns), row = begin / y.columns % y.rows, column = begin % y.columns;
  T *at[n][n], *next[n][n];
  if (begin < end) find_pixels(of, images, image, row * 4 + down, column * 4 + right, outside, next);
  for (Index t = begin; t < end; ++t) {
    std::memcpy(at, next, sizeof at);
    const Index of_image = image;
    if (t + 1 < end) {
      if (++column == y.columns) column = 0, ++row;
      if (row == y.rows) row = 0, ++image;
      find_pixels(of, images, image, row * 4 + down, column * 4 + right, outside, next);
    }
    f(t, of_image, at, next);
  }
}

/// Room for n numbers before the next of 36 planes: an odd number of cache lines, so that the places of one
/// tile in all planes do not compete for the same few sets of the first-level cache.
constexpr Index plane_size(Index n) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(real));
  return ((n + line - 1) / line | 1) * line;
}

/// Tiles a block of correlate has, so that its V and its products, 36 (C + O) numbers a tile, fill half of
/// a second-level cache of 1 MiB; fewer where there would be less than 16 blocks. A multiple of 12, which
/// tiles of registers fill.
Index block_tiles(Index tiles, Index C, Index O) {
  constexpr Index rows = 12, budget = (Index{512} << 10) / static_cast<Index>(sizeof(real));
  const Index fit = budget / (36 * (C + O)) / rows, share = (tiles / 16 + rows - 1) / rows;
  return rows * std::max<Index>(1, std::min(fit, share));
}

/// Tiles a block of a sum over `tiles` of them has, for their V and Y: the longer, the fewer times the sum,
/// which is larger than the cache, passes by. It cuts the sum, so it may depend on shapes alone.
Index summed_tiles(Index tiles, Index C, Index O) {
  constexpr Index budget = (Index{640} << 10) / static_cast<Index>(sizeof(real));
  const Index fit = std::max<Index>(12, budget / (36 * (C + O)));
  const Index blocks = std::max<Index>(1, (tiles + fit - 1) / fit);
  return (tiles + blocks - 1) / blocks;
}

/// The 6×6 matrices F p Fᵀ, by `step`, of the n×n pixels p of the tiles [begin, end) of y (for_tiles):
/// entry ξ of channel c of tile begin + t goes to to[ξ plane + place(t, c)].
template <int n, auto& step, class Place>
void transform(const Tiling& y, Index begin, Index end, Index down, Index right, const Tiling& of,
               const real* images, real* to, Index plane, const Place& place) {
  const Scratch outside(of.C);
  std::fill_n(outside.data(), of.C, real(0));
  for_tiles<n>(
      y, begin, end, down, right, of, images, outside.data(), [&](Index t, Index, auto& at, auto& next) {
        for_lanes(of.C, [&](Index c, auto part) {
          const auto get = [&](int i, int j) {
            __builtin_prefetch(next[i][j] + c);
            return load(at[i][j] + c, part);
          };
          real* entries = to + place(t - begin, c);
          both_axes<6, n>(step, get,
                          [&](int i, int j, const Lanes& v) { store(entries + (i * 6 + j) * plane, v); });
        });
      });
}

/// V_ξ[t − begin, c] of the tiles [begin, end) of a result y with ph×pw padding around x, rows of
/// whole_lanes(C).
void transform_windows(const Tiling& x, const Tiling& y, Index ph, Index pw, const real* images, Index begin,
                       Index end, real* V) {
  const Index width = whole_lanes(x.C);
  transform<6, window>(y, begin, end, -ph, -pw, x, images, V, plane_size((end - begin) * width),
                       [&](Index t, Index c) { return t * width + c; });
}

/// Y_ξ[t − begin, o] of the tiles [begin, end) of y, a right factor in panels.
void transform_tiles(const Tiling& y, const real* images, Index begin, Index end, real* Y) {
  const Index count = end - begin;
  transform<4, tile>(y, begin, end, 0, 0, y, images, Y, plane_size(count * whole_panels(y.C)),
                     [&](Index t, Index o) { return packed_place(count, t, o); });
}

/// The tiles [begin, end) of y = Aᵀ M A + shift + residual from M_ξ[t − begin, o], rows of whole_lanes(O).
void finish_tiles(const Tiling& y, const real* M, Index begin, Index end, In shifts, In residuals,
                  real* images) {
  const Index O = y.C, width = whole_lanes(O), plane = plane_size((end - begin) * width);
  const Index per_image = std::ssize(shifts) == O ? 0 : O;
  for_tiles<4>(y, begin, end, 0, 0, y, images, nullptr, [&](Index t, Index image, auto& at, auto& next) {
    const real* shift = shifts.empty() ? nullptr : shifts.data() + image * per_image;
    const real* from = M + (t - begin) * width;
    for_lanes(O, [&](Index o, auto part) {
      const Lanes added = shift ? load(shift + o, part) : Lanes{};
      const auto get = [&](int i, int j) { return load(from + (i * 6 + j) * plane + o); };
      both_axes<4, 6>(tile_adjoint, get, [&](int i, int j, const Lanes& out) {
        __builtin_prefetch(next[i][j] + o, 1);
        if (!at[i][j]) return;
        const Lanes sum = out + added;
        const real* residual = residuals.empty() ? nullptr : residuals.data() + (at[i][j] - images);
        store(at[i][j] + o, residual ? sum + load(residual + o, part) : sum, part);
      });
    });
  });
}

/// U_ξ[c, o] of taps w (out,in,3,3), or of taps (in,out,3,3) turned by half: right factors in panels.
void transform_taps(Index in, Index out, bool turned, In w, Index plane, real* U) {
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
void correlate(const Tiling& x, const Tiling& y, Index ph, Index pw, In from, In w, bool turned, In shift,
               In residual, Out to) {
  const Index C = x.C, row = whole_lanes(C), O = whole_lanes(y.C), T = block_tiles(y.tiles, C, y.C);
  const Index U_plane = plane_size(C * whole_panels(y.C));
  const Scratch U(36 * U_plane);
  transform_taps(C, y.C, turned, w, U_plane, U.data());
  parallel((y.tiles + T - 1) / T, [&](Index block) {
    const Index begin = block * T, end = std::min(y.tiles, begin + T), count = end - begin;
    const Index V_plane = plane_size(count * row), M_plane = plane_size(count * O);
    const Scratch V(36 * V_plane), M(36 * M_plane);
    transform_windows(x, y, ph, pw, from.data(), begin, end, V.data());
    for (Index xi = 0; xi < 36; ++xi)
      product(count, O, C, rows_of(V.data() + xi * V_plane, row), packed(U.data() + xi * U_plane, C), false,
              M.data() + xi * M_plane, O);
    finish_tiles(y, M.data(), begin, end, shift, residual, to.data());
  });
}

}  // namespace

bool pays(const ConvShape& s) {
  const bool taps_and_steps =
      s.kh == 3 && s.kw == 3 && s.sh == 1 && s.sw == 1 && s.dh == 1 && s.dw == 1 && s.ph <= 2 && s.pw <= 2;
  const Index tiled = (s.OH + 3) / 4 * ((s.OW + 3) / 4) * 36, direct = s.OH * s.OW * 9;
  return taps_and_steps && s.C >= 8 && s.O >= 8 && tiled < direct;
}

void conv2d(const ConvShape& s, In x, In w, In shift, In residual, Out y) {
  correlate({s.N, s.H, s.W, s.C}, {s.N, s.OH, s.OW, s.O}, s.ph, s.pw, x, w, false, shift, residual, y);
}

void conv2d_input(const ConvShape& s, In y, In w, Out x) {
  correlate({s.N, s.OH, s.OW, s.O}, {s.N, s.H, s.W, s.C}, 2 - s.ph, 2 - s.pw, y, w, true, {}, {}, x);
}

void conv2d_weight(const ConvShape& s, In x, In y, Out w) {
  const Tiling tx{s.N, s.H, s.W, s.C}, ty{s.N, s.OH, s.OW, s.O};
  const Index C = s.C, row = whole_lanes(C), O = whole_lanes(s.O), panels = whole_panels(s.O);
  const Index parts = std::clamp<Index>(ty.tiles / 24, 1, 8), plane = plane_size(C * O), size = 36 * plane;
  const Scratch sums(parts * size);  // of Vᵀ Y over the tiles of a part; the parts are added in order
  parallel(parts, [&](Index part) {
    const Index first = part * ty.tiles / parts, last = (part + 1) * ty.tiles / parts;
    const Index T = summed_tiles(last - first, C, s.O);  // not of O, which the register rounds
    const Scratch V(36 * plane_size(T * row)), Y(36 * plane_size(T * panels));
    Index begin = first;
    do {
      const Index end = std::min(last, begin + T), count = end - begin;
      const Index V_plane = plane_size(count * row), Y_plane = plane_size(count * panels);
      transform_windows(tx, ty, s.ph, s.pw, x.data(), begin, end, V.data());
      transform_tiles(ty, y.data(), begin, end, Y.data());
      for (Index xi = 0; xi < 36; ++xi)
        product(C, O, count, columns_of(V.data() + xi * V_plane, row), packed(Y.data() + xi * Y_plane, count),
                begin != first, sums.data() + part * size + xi * plane, O);
      begin = end;
    } while (begin < last);
  });
  parallel(36, [&](Index xi) {
    real* total = sums.data() + xi * plane;
    for (Index part = 1; part < parts; ++part)
      DALE_INDEPENDENT for (Index i = 0; i < C * O; ++i) total[i] += total[part * size + i];
  });
  parallel(C, [&](Index c) {
    for (Index o = 0; o < s.O; o += lanes) {
      const auto get = [&](int i, int j) { return load(sums.data() + (i * 6 + j) * plane + c * O + o); };
      both_axes<3, 6>(taps_adjoint, get, [&](int i, int j, const Lanes& g) {
        for (Index l = 0; l < std::min(lanes, s.O - o); ++l) w[((o + l) * C + c) * 9 + i * 3 + j] = g[l];
      });
    }
  });
}

}  // namespace dale::cpu::winograd
