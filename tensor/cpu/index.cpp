// Rows by index, and random fills.
#include <algorithm>

#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"
#include "tensor/random.h"

namespace dale::cpu {

void gather(In x, Index K, std::span<const std::int32_t> i, Out y) {
  const Index M = static_cast<Index>(i.size());
  parallel_ranges(M, std::max<Index>(1, piece_size / std::max<Index>(1, K)), [&](Index begin, Index end) {
    for (Index m = begin; m < end; ++m) std::copy_n(x.data() + i[m] * K, K, y.data() + m * K);
  });
}

/// Columns are cut into pieces, not rows: a place is added to in order of m.
void scatter_add(In x, Index K, std::span<const std::int32_t> i, Out y) {
  fill(y, 0);
  const Index M = static_cast<Index>(i.size());
  parallel_ranges(K, std::max<Index>(16, piece_size / std::max<Index>(1, M)), [&](Index begin, Index end) {
    for (Index m = 0; m < M; ++m)
      for (Index k = begin; k < end; ++k) y[i[m] * K + k] += x[m * K + k];
  });
}

void random(Random kind, std::span<const std::int32_t> state, Out y) {
  const std::uint64_t key = joined(state[0], state[1]), counter = joined(state[2], state[3]);
  parallel_ranges(static_cast<Index>(y.size()), [&](Index begin, Index end) {
    for (Index e = begin; e < end;) {
      const std::uint64_t element = counter + static_cast<std::uint64_t>(e);
      const Words block = random_block(key, element / 4);
      for (int lane = static_cast<int>(element % 4); lane < 4 && e < end; ++lane, ++e)
        y[e] = kind == Random::uniform ? uniform_of(block.w[lane]) : normal_of(block, lane);
    }
  });
}

}  // namespace dale::cpu
