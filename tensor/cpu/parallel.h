// Threads. Work is cut into pieces whose number depends on the shapes alone; a piece writes places that no
// other piece writes, or a partial result of its own that is combined in order afterwards. So the bits of a
// result do not depend on how many threads there are or which of them took which piece.
#pragma once

#include <algorithm>

#include "tensor/shape.h"

namespace dale {

/// Number of threads that kernels use, the calling one included. REQUIRES n ≥ 1. Not while a kernel runs.
void set_threads(int n);
int threads();

namespace detail {
void run_pieces(Index pieces, void (*call)(const void* body, Index piece), const void* body);
}

/// Calls body(0) … body(pieces − 1), each once, and returns when all have ended. What a body throws (it may
/// be out of memory) is thrown here, the first of several, after all have stopped; pieces not begun are left
/// out. Inside a piece a further parallel() runs in place.
template <class Body> void parallel(Index pieces, const Body& body) {
  detail::run_pieces(
      pieces, [](const void* b, Index piece) { (*static_cast<const Body*>(b))(piece); }, &body);
}

/// Elements a piece of elementwise work has: long enough to pay for handing it out, short enough for the
/// cache.
constexpr Index piece_size = 16384;

/// Calls body(begin, end) for consecutive ranges of [0, n), of `piece` elements each.
template <class Body> void parallel_ranges(Index n, Index piece, const Body& body) {
  parallel((n + piece - 1) / piece, [&](Index p) { body(p * piece, std::min(n, (p + 1) * piece)); });
}
template <class Body> void parallel_ranges(Index n, const Body& body) {
  parallel_ranges(n, piece_size, body);
}

}  // namespace dale
