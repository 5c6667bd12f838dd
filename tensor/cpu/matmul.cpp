// Matrix products by OpenBLAS. It runs single-threaded inside a piece, and pieces go across our threads: its
// own threads would change the order of sums with their number, and fight with ours.
#include "tensor/cpu/blas.h"
#include "tensor/cpu/machine.h"
#include "tensor/cpu/parallel.h"

namespace dale::cpu {

void matmul(const View<const real>& a, const View<const real>& b, std::span<real> y) {
  const Index B = a.shape[0], M = a.shape[1], K = a.shape[2], N = b.shape[2];
  if (K == 0) std::fill(y.begin(), y.end(), real(0));
  if (y.empty() || K == 0) return;
  const bool ta = a.strides[2] != 1 && K > 1, tb = b.strides[2] != 1 && N > 1;
  const Index lda = std::max(ta ? a.strides[2] : a.strides[1], ta ? M : K);
  const Index ldb = std::max(tb ? b.strides[2] : b.strides[1], tb ? K : N);
  constexpr Index rows = 128;  // of y, a piece
  const Index blocks = (M + rows - 1) / rows;
  parallel(B * blocks, [&](Index p) {
    const Index batch = p / blocks, first = p % blocks * rows, count = std::min(rows, M - first);
    gemm(ta, tb, count, N, K, a.data + batch * a.strides[0] + first * (ta ? 1 : lda), lda,
         b.data + batch * b.strides[0], ldb, 0, y.data() + (batch * M + first) * N, N);
  });
}

}  // namespace dale::cpu
