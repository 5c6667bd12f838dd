// Rows by index, and random fills. A thread makes one element of the result; sums take their terms in order
// of m. Random bits are the CPU's: Philox makes four numbers at a time, so a thread takes a block of the
// stream and writes those of its four elements that lie in y; key and counter are read from the machine's
// memory.
#include "tensor/cuda/launch.h"
#include "tensor/random.h"

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

/// y[e] for e = 4 block + lane − counter. Blocks from counter/4 on, n/4 + 2 at most, have elements in y.
__global__ void random_blocks(Random kind, Span<const std::int32_t> state, Span<real> y) {
  const std::uint64_t key = joined(state[0], state[1]), counter = joined(state[2], state[3]);
  const Index skipped = static_cast<Index>(counter % 4);  // elements of the first block that lie before y
  for (Index b = first(); 4 * b - skipped < std::ssize(y); b += step()) {
    const Words block = random_block(key, counter / 4 + static_cast<std::uint64_t>(b));
    for (int lane = 0; lane < 4; ++lane) {
      const Index e = 4 * b + lane - skipped;
      if (e >= 0 && e < std::ssize(y))
        y[e] = kind == Random::uniform ? uniform_of(block.w[lane]) : normal_of(block, lane);
    }
  }
}

}  // namespace

void gather(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(gather_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

void scatter_add(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(scatter_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

void random(Random kind, std::span<const std::int32_t> state, Out y) {
  if (!y.empty()) launch(random_blocks, blocks_for(std::ssize(y) / 4 + 2), threads, kind, state, y);
}

}  // namespace dale::cuda
