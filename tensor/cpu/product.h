// Matrix products of our own, because the order of their sums is a promise. With the terms k cut into parts
// of 256, (I.5) says
//
//   y[m,n] = Σ_parts ( Σ_{k of a part} a[m,k] b[k,n] )
//
// where the inner sum starts at 0 and takes its terms in order by fused multiply-adds, rounding once each,
// and the parts are added in order. An element of y thus depends on its row of a and its column of b, and on
// nothing else: not on the width of the registers, the threads, or the other rows of the batch. Level v2 has
// no fused multiply-adds and rounds twice.
//
// A tile of y, some rows by two registers of columns, stays in registers while k runs. A factor is read where
// it lies when its layout serves, and what the convolutions multiply is laid out so that it does.
#pragma once

#include "tensor/cpu/lanes.h"

namespace dale::cpu {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr Index tile_rows = 8;  // of 32 registers 16 hold the tile
#else
constexpr Index tile_rows = 6;  // of 16 registers 12
#endif
constexpr Index panel_width = 2 * lanes;
constexpr Index product_part = 256;

/// n rounded up to whole panels, or tiles.
constexpr Index whole_panels(Index n) { return (n + panel_width - 1) / panel_width * panel_width; }
constexpr Index whole_tiles(Index n) { return (n + tile_rows - 1) / tile_rows * tile_rows; }

/// A left factor: a[m,k] = data[m / tile_rows · tile + m mod tile_rows · row + k · column]. Where it comes
/// from far memory, `ahead` numbers of the next tile are asked for while one is multiplied.
struct Left {
  const real* data;
  Index row, column, tile, ahead = 0;
};
/// A right factor: b[k,n] = data[n / panel_width · panel + k · row + n mod panel_width], readable in whole
/// lanes.
struct Right {
  const real* data;
  Index row, panel;
};

/// Matrices as they lie: a[m,k] = data[m pitch + k], or data[m + k pitch] for the transposed one.
inline Left rows_of(const real* data, Index pitch) { return {data, pitch, 1, tile_rows * pitch}; }
inline Left columns_of(const real* data, Index pitch) { return {data, 1, pitch, tile_rows}; }
/// b[k,n] = data[k pitch + n]. REQUIRES pitch ≥ whole_lanes(N), or the last row readable that far.
inline Right right_rows(const real* data, Index pitch) { return {data, pitch, panel_width}; }

/// Copies a (M,K) = data[m row + k column] to `to`, whole_tiles(M)·K numbers, tile by tile.
Left pack_left(Index M, Index K, const real* data, Index row, Index column, real* to);
/// Copies the panels [first, end) of b (K,N) = data[k row + n column] to their places in `to`,
/// K·whole_panels(N) numbers, with 0 in the columns from N on; packed(to, K) is then b.
void pack_panels(Index K, Index N, const real* data, Index row, Index column, Index first, Index end,
                 real* to);
/// Where b[k,n] lies among them, for n that begins a register.
constexpr Index packed_place(Index K, Index k, Index n) {
  return (n / panel_width * K + k) * panel_width + n % panel_width;
}
inline Right packed(const real* data, Index K) { return {data, panel_width, K * panel_width}; }

/// y[m pitch + n] ← (I.5) for y (M,N), or, if `add`, y + (I.5) with the parts added to y in order.
void product(Index M, Index N, Index K, const Left& a, const Right& b, bool add, real* y, Index pitch);

}  // namespace dale::cpu
