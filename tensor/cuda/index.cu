// Rows by index. A thread makes one element of the result; sums take their terms in order of m.
#include "tensor/cuda/launch.h"

namespace dale::cuda {
namespace {

__global__ void gather_elements(Span<const real> x, Index K, Span<const std::int32_t> i, Span<real> y) {
  for (Index e = first(); e < std::ssize(y); e += step()) y[e] = x[i[e / K] * K + e % K];
}

/// y[r,k] = Σ x[m,k] over the m with i[m] = r.
__global__ void scatter_elements(Span<const real> x, Index K, Span<const std::int32_t> i, Span<real> y) {
  for (Index e = first(); e < std::ssize(y); e += step()) {
    const Index r = e / K, k = e - r * K;
    real sum = 0;
    for (Index m = 0; m < std::ssize(i); ++m)
      if (i[m] == r) sum += x[m * K + k];
    y[e] = sum;
  }
}

}  // namespace

void gather(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(gather_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

void scatter_add(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(scatter_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

}  // namespace dale::cuda
