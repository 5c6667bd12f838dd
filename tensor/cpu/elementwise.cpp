// Maps, zips and copies: y[i] = op(a[i], b[i]) over strided inputs; rows by index; random fills; updates in
// place. The inner loop runs along the last merged axis and is compiled for the strides that matter, 1 (an
// array) and 0 (a broadcast value); other strides take the general loop.
#include <cstring>

#include "tensor/cpu/parallel.h"
#include "tensor/random.h"
#include "tensor/walk.h"

namespace dale::cpu {
namespace {

/// Calls f(position, offsets, n) for the runs of a walk, in pieces.
template <int K, class F> void parallel_runs(const Walk<K>& walk, const F& f) {
  parallel_ranges(walk.count, [&](Index begin, Index end) { walk.runs(begin, end, f); });
}

template <class T> void copy_elements(const View<const T>& x, const View<T>& y) {
  const Walk<2> walk(x.shape, {&x.strides, &y.strides}, 0, x.shape.rank());
  const Index from_step = walk.run_stride(0), to_step = walk.run_stride(1);
  parallel_runs(walk, [&](Index, const auto& offsets, Index n) {
    const T* from = x.data + offsets[0];
    T* to = y.data + offsets[1];
    if (from_step == 1 && to_step == 1)
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
    else
      for (Index i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
  });
}

}  // namespace

void fill(Out y, real value) {
  parallel_ranges(std::ssize(y),
                  [&](Index begin, Index end) { std::fill(y.begin() + begin, y.begin() + end, value); });
}

void unary(Unary op, const View<const real>& x, Out y) {
  const Walk<1> walk(x.shape, {&x.strides}, 0, x.shape.rank());
  const Index step = walk.run_stride(0);
  with_formula(op, [&](auto formula) {
    parallel_runs(walk, [&](Index position, const auto& offsets, Index n) {
      const real* from = x.data + offsets[0];
      real* to = y.data() + position;
      if (step == 1) {
        DALE_INDEPENDENT for (Index i = 0; i < n; ++i) to[i] = formula(from[i]);
      } else {
        for (Index i = 0; i < n; ++i) to[i] = formula(from[i * step]);
      }
    });
  });
}

void binary(Binary op, const View<const real>& a, const View<const real>& b, Out y) {
  const Walk<2> walk(a.shape, {&a.strides, &b.strides}, 0, a.shape.rank());
  const Index step_a = walk.run_stride(0), step_b = walk.run_stride(1);
  with_formula(op, [&](auto formula) {
    parallel_runs(walk, [&](Index position, const auto& offsets, Index n) {
      const real* pa = a.data + offsets[0];
      const real* pb = b.data + offsets[1];
      real* to = y.data() + position;
      if (step_a == 1 && step_b == 1) {
        DALE_INDEPENDENT for (Index i = 0; i < n; ++i) to[i] = formula(pa[i], pb[i]);
      } else if (step_a == 1 && step_b == 0) {
        const real value = *pb;
        DALE_INDEPENDENT for (Index i = 0; i < n; ++i) to[i] = formula(pa[i], value);
      } else if (step_a == 0 && step_b == 1) {
        const real value = *pa;
        DALE_INDEPENDENT for (Index i = 0; i < n; ++i) to[i] = formula(value, pb[i]);
      } else {
        for (Index i = 0; i < n; ++i) to[i] = formula(pa[i * step_a], pb[i * step_b]);
      }
    });
  });
}

void copy(const View<const real>& x, const View<real>& y) { copy_elements(x, y); }
void copy_int(const View<const std::int32_t>& x, const View<std::int32_t>& y) { copy_elements(x, y); }

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

void adam(In settings, std::span<const AdamArrays> parameters) {
  for (const auto& [g, m, v, w] : parameters)
    parallel_ranges(std::ssize(w), [settings, g = g, m = m, v = v, w = w](Index begin, Index end) {
      const AdamStep step(settings);
      DALE_INDEPENDENT for (Index i = begin; i < end; ++i) step(g[i], m[i], v[i], w[i]);
    });
}

void lerp(In weight, std::span<const LerpArrays> arrays) {
  const real t = weight[0];
  for (const auto& [x, y] : arrays)
    parallel_ranges(std::ssize(y), [t, x = x, y = y](Index begin, Index end) {
      DALE_INDEPENDENT for (Index i = begin; i < end; ++i) y[i] += t * (x[i] - y[i]);
    });
}

}  // namespace dale::cpu
