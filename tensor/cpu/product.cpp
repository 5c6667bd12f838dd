// The loops around a tile of registers: see product.h.
#include "tensor/cpu/product.h"

#include <algorithm>

namespace dale::cpu {
namespace {

/// y (R, V registers of columns, the last of `last` numbers) ← [y +] a b over K terms.
template <Index R, Index V>
inline void multiply_tile(Index K, const real* a, Index a_row, Index a_column, const real* b, Index b_row,
                          Index last, bool add, real* y, Index pitch) {
  Lanes sum[R][V] = {};
  for (Index k = 0; k < K; ++k, a += a_column, b += b_row) {
    Lanes right[V];
    DALE_UNROLL for (Index v = 0; v < V; ++v) right[v] = load(b + v * lanes);
    DALE_UNROLL for (Index r = 0; r < R; ++r) {
      const Lanes left = splat(a[r * a_row]);
      DALE_UNROLL for (Index v = 0; v < V; ++v) sum[r][v] = multiply_add(left, right[v], sum[r][v]);
    }
  }
  const auto finish = [&](real* to, const Lanes& value, auto part) {
    store(to, add ? load(to, part) + value : value, part);
  };
  DALE_UNROLL for (Index r = 0; r < R; ++r, y += pitch) {
    DALE_UNROLL for (Index v = 0; v + 1 < V; ++v) finish(y + v * lanes, sum[r][v], Whole{});
    if (last == lanes)
      finish(y + (V - 1) * lanes, sum[r][V - 1], Whole{});
    else
      finish(y + (V - 1) * lanes, sum[r][V - 1], Rest{last});
  }
}

/// The same for `rows` ≤ R rows.
template <Index R, Index V>
inline void multiply_rows(Index rows, Index K, const real* a, const Left& left, const real* b, Index b_row,
                          Index last, bool add, real* y, Index pitch) {
  if (rows == R) return multiply_tile<R, V>(K, a, left.row, left.column, b, b_row, last, add, y, pitch);
  if constexpr (R > 1) multiply_rows<R - 1, V>(rows, K, a, left, b, b_row, last, add, y, pitch);
}

}  // namespace

Left pack_left(Index M, Index K, const real* data, Index row, Index column, real* to) {
  for (Index first = 0; first < M; first += tile_rows, to += tile_rows * K) {
    const Index rows = std::min(tile_rows, M - first);
    for (Index r = 0; r < rows; ++r) {
      const real* from = data + (first + r) * row;
      for (Index k = 0; k < K; ++k) to[k * tile_rows + r] = from[k * column];
    }
  }
  return {to - whole_tiles(M) * K, 1, tile_rows, tile_rows * K};
}

void pack_panels(Index K, Index N, const real* data, Index row, Index column, Index first, Index end,
                 real* to) {
  for (Index panel = first; panel < end; ++panel) {
    const Index begin = panel * panel_width, columns = std::min(panel_width, N - begin);
    real* out = to + begin * K;
    const real* from = data + begin * column;
    if (columns < panel_width) std::fill_n(out, K * panel_width, real(0));
    if (column == 1)
      for (Index k = 0; k < K; ++k) std::copy_n(from + k * row, columns, out + k * panel_width);
    else
      for (Index n = 0; n < columns; ++n)
        for (Index k = 0; k < K; ++k) out[k * panel_width + n] = from[n * column + k * row];
  }
}

void product(Index M, Index N, Index K, const Left& a, const Right& b, bool add, real* y, Index pitch) {
  Index first = 0;
  do {
    const Index terms = std::min(product_part, K - first);
    for (Index n = 0; n < N; n += panel_width) {
      const Index columns = std::min(panel_width, N - n);
      const real* right = b.data + n / panel_width * b.panel + first * b.row;
      for (Index m = 0; m < M; m += tile_rows) {
        const Index rows = std::min(tile_rows, M - m);
        const real* left = a.data + m / tile_rows * a.tile + first * a.column;
        if (n == 0)
          for (Index k = 0; k < a.ahead; k += 16) __builtin_prefetch(left + a.tile + k);
        real* to = y + m * pitch + n;
        if (columns > lanes)
          multiply_rows<tile_rows, 2>(rows, terms, left, a, right, b.row, columns - lanes, add, to, pitch);
        else
          multiply_rows<tile_rows, 1>(rows, terms, left, a, right, b.row, columns, add, to, pitch);
      }
    }
    first += terms;
    add = true;
  } while (first < K);
}

}  // namespace dale::cpu
