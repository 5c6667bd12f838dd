// Products of small matrices that lie in the cache, row after row: y ← a b, or y ← y + a b. A tile of y stays
// in registers while k runs, so each number read is used rows·columns/(rows + columns) times and nothing is
// packed: for factors of some ten thousand numbers OpenBLAS spends as long on packing as on arithmetic.
#pragma once

#include "tensor/cpu/lanes.h"

namespace dale::cpu {

enum class Left { as_is, transposed };  // a is (M,K), or (K,M)

/// One tile: y (R, V registers of columns) for K terms.
template <int R, int V, Left left, bool add>
inline void register_tile(Index K, const real* a, Index lda, const real* b, Index ldb, real* y, Index ldy) {
  Lanes sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = add ? load(y + r * ldy + v * lanes) : Lanes{};
  for (Index k = 0; k < K; ++k) {
    Lanes row[V];
    for (int v = 0; v < V; ++v) row[v] = load(b + k * ldb + v * lanes);
    for (int r = 0; r < R; ++r) {
      const real factor = left == Left::transposed ? a[k * lda + r] : a[r * lda + k];
      for (int v = 0; v < V; ++v) sum[r][v] += factor * row[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) store(y + r * ldy + v * lanes, sum[r][v]);
}

/// V registers of columns of y, all M rows: tiles of R rows, then of half as many for the rest.
template <int R, int V, Left left, bool add>
inline void register_columns(Index M, Index K, const real* a, Index lda, const real* b, Index ldb, real* y,
                             Index ldy) {
  const Index step = left == Left::transposed ? 1 : lda;
  for (; M >= R; M -= R, a += R * step, y += R * ldy)
    register_tile<R, V, left, add>(K, a, lda, b, ldb, y, ldy);
  if constexpr (R > 1)
    if (M > 0) register_columns<R / 2, V, left, add>(M, K, a, lda, b, ldb, y, ldy);
}

/// y (M,N) ← [y +] op(a) b for b (K,N). REQUIRES N a multiple of `lanes`.
template <Left left, bool add>
inline void product(Index M, Index N, Index K, const real* a, Index lda, const real* b, Index ldb, real* y,
                    Index ldy) {
  constexpr int rows = registers == 32 ? 12 : 6;
  Index n = 0;
  for (; n + 2 * lanes <= N; n += 2 * lanes)
    register_columns<rows, 2, left, add>(M, K, a, lda, b + n, ldb, y + n, ldy);
  if (n < N) register_columns<rows, 1, left, add>(M, K, a, lda, b + n, ldb, y + n, ldy);
}

}  // namespace dale::cpu
