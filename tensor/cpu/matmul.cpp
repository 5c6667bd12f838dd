// Matrix products, by product.h: the right factor is copied once into panels unless its rows serve as they
// lie, then blocks of y are made side by side, with the left factor's rows copied tile by tile where they are
// long.
//
// In Gop/s, for 1024×1024 matrices and for 36 products of 48×32 by 32×32, as Winograd's convolution asks for,
// on one and two cores with AVX2 (EPYC, 95 and 182 at most):
//
//                                                  1024×1024       36 small
//   OpenBLAS 0.3.21, which knows this processor    73    134       36    37
//   product.h                                      75    137       64    46
#include "tensor/cpu/blas.h"
#include "tensor/cpu/level.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/product.h"
#include "tensor/walk.h"

namespace dale::cpu {
namespace {

constexpr Index block_rows = 48, block_columns = 1024;  // of y, a piece

void by_openblas(const View<const real>& a, const View<const real>& b, Out y) {
  const Index B = a.shape[0], M = a.shape[1], K = a.shape[2], N = b.shape[2];
  const bool ta = a.strides[2] != 1 && K > 1, tb = b.strides[2] != 1 && N > 1;
  const Index lda = std::max(ta ? a.strides[2] : a.strides[1], ta ? M : K);
  const Index ldb = std::max(tb ? b.strides[2] : b.strides[1], tb ? K : N);
  const Index blocks = (M + block_rows - 1) / block_rows;
  parallel(B * blocks, [&](Index p) {
    const Index batch = p / blocks, first = p % blocks * block_rows, count = std::min(block_rows, M - first);
    blas::product(ta, tb, count, N, K, a.data + batch * a.strides[0] + first * (ta ? 1 : lda), lda,
                  b.data + batch * b.strides[0], ldb, y.data() + (batch * M + first) * N, N);
  });
}

}  // namespace

void matmul(const View<const real>& a, const View<const real>& b, Out y) {
  const Index B = a.shape[0], M = a.shape[1], K = a.shape[2], N = b.shape[2];
  if (K == 0) std::fill(y.begin(), y.end(), real(0));
  if (y.empty() || K == 0) return;
  if (products_by_openblas()) return by_openblas(a, b, y);

  // Whole lanes in rows that lie close together, or rows that are read too few times to pay for a copy.
  const bool serves = b.strides[2] == 1 && N % lanes == 0 && (M <= 2 * tile_rows || K * b.strides[1] <= 8192);
  const Index matrices = serves ? 0 : b.strides[0] == 0 ? 1 : B, size = K * whole_panels(N);
  const Index panels = whole_panels(N) / panel_width;
  const Scratch copies(matrices * size);
  parallel(matrices * panels, [&](Index p) {
    const Index matrix = p / panels, panel = p % panels;
    pack_panels(K, N, b.data + matrix * b.strides[0], b.strides[1], b.strides[2], panel, panel + 1,
                copies.data() + matrix * size);
  });

  const Index down = (M + block_rows - 1) / block_rows, across = (N + block_columns - 1) / block_columns;
  parallel(B * down * across, [&](Index p) {
    const Index batch = p / (down * across), row = p / across % down * block_rows,
                column = p % across * block_columns;
    const Index rows = std::min(block_rows, M - row), columns = std::min(block_columns, N - column);
    const real* left = a.data + batch * a.strides[0] + row * a.strides[1];
    Left factor{left, a.strides[1], a.strides[2], tile_rows * a.strides[1]};
    const bool long_rows = K > product_part && columns > 2 * panel_width;
    const Scratch tiles(long_rows ? whole_tiles(rows) * K : 0);
    if (long_rows) factor = pack_left(rows, K, left, a.strides[1], a.strides[2], tiles.data());
    Right right = serves ? right_rows(b.data + batch * b.strides[0] + column, b.strides[1])
                         : packed(copies.data() + std::min(batch, matrices - 1) * size + column * K, K);
    product(rows, columns, K, factor, right, false, y.data() + (batch * M + row) * N + column, N);
  });
}

}  // namespace dale::cpu
