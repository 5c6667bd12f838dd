// Maps, zips and copies: y[i] = op(a[i], b[i]) over strided inputs; rows by index; random fills. A thread
// makes one element, or four neighbours where they lie side by side everywhere, so that enough reads are
// under way for a device's memory. Neighbouring threads take neighbouring elements of y. One kernel per op
// serves all strides: where axes merge to one, its index is the offset. The updates of an optimiser and of an
// average go over all parameters in one launch, because most parameters are small.
#include "tensor/cuda/multi_tensor.h"
#include "tensor/random.h"

namespace dale::cuda {
namespace {

__global__ void fill_elements(Span<real> y, real value) {
  for (Index i = first(); i < std::ssize(y); i += step()) y[i] = value;
}

template <class F>
__global__ void unary_elements(F formula, const __grid_constant__ Walk<1> walk, Span<const real> x,
                               Span<real> y) {
  for (Index i = first(); i < std::ssize(y); i += step()) y[i] = formula(x[walk(i)[0]]);
}

template <int n, class F>
__global__ void binary_elements(F formula, const __grid_constant__ Walk<2> walk, Span<const real> a,
                                Span<const real> b, Span<real> y) {
  for (Index i = n * first(); i < std::ssize(y); i += n * step()) {
    const auto at = walk(i);
    const auto left = at_once<n>(a, at[0]), right = at_once<n>(b, at[1]);
    Vec<real, n> v;
    for (int l = 0; l < n; ++l) v.v[l] = formula(left.v[l], right.v[l]);
    at_once<n>(y, i) = v;
  }
}

template <int n, class T>
__global__ void copy_elements(const __grid_constant__ Walk<2> walk, Span<const T> x, Span<T> y) {
  for (Index i = n * first(); i < walk.count; i += n * step()) {
    const auto at = walk(i);
    at_once<n>(y, at[1]) = at_once<n>(x, at[0]);
  }
}

/// Whether both arrays of a walk, and all that begins at `places`, can be read and written four at a time.
template <class T> bool in_fours(const Walk<2>& walk, std::initializer_list<const T*> places) {
  bool all = walk.shape[walk.rank - 1] % 4 == 0;
  for (const T* place : places) all = all && aligned<T, 4>(place);
  for (int k = 0; k < 2; ++k) {
    all = all && walk.run_stride(k) == 1;
    for (int i = 0; i + 1 < walk.rank; ++i) all = all && walk.strides[k][i] % 4 == 0;
  }
  return all;
}

__global__ void gather_elements(Span<const real> x, Index K, Span<const std::int32_t> i, Span<real> y) {
  for (Index e = first(); e < std::ssize(y); e += step()) y[e] = x[i[e / K] * K + e % K];
}

/// y[r,k] = Σ x[m,k] over the m with i[m] = r, in order of m.
__global__ void scatter_elements(Span<const real> x, Index K, Span<const std::int32_t> i, Span<real> y) {
  for (Index e = first(); e < std::ssize(y); e += step()) {
    const Index r = e / K, k = e - r * K;
    real sum = 0;
    for (Index m = 0; m < std::ssize(i); ++m)
      if (i[m] == r) sum += x[m * K + k];
    y[e] = sum;
  }
}

/// The CPU's bits: Philox makes four numbers at a time, so a thread takes a block of the stream and writes
/// those of its four elements that lie in y, y[e] for e = 4 block + lane − counter. Blocks from counter/4 on,
/// n/4 + 2 at most, have elements in y.
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

__global__ void adam_elements(Span<const real> settings,
                              const __grid_constant__ MultiTensor<AdamArrays> parameters) {
  const AdamStep step(settings);
  parameters.elements([=](const AdamArrays& p, Index i) {
    const Span<const real> g = p.g;
    const Span<real> m = p.m, v = p.v, w = p.w;
    step(g[i], m[i], v[i], w[i]);
  });
}

__global__ void lerp_elements(Span<const real> weight,
                              const __grid_constant__ MultiTensor<LerpArrays> arrays) {
  const real t = weight[0];
  arrays.elements([=](const LerpArrays& a, Index i) {
    const Span<const real> x = a.x;
    const Span<real> y = a.y;
    y[i] += t * (x[i] - y[i]);
  });
}

template <class T> void copy_strided(const View<const T>& x, const View<T>& y) {
  const Walk<2> walk(x.shape, {&x.strides, &y.strides}, 0, x.shape.rank());
  const bool fours = in_fours<T>(walk, {x.data, y.data});
  launch(fours ? copy_elements<4, T> : copy_elements<1, T>, blocks_for(walk.count / (fours ? 4 : 1)), threads,
         walk, elements(x), elements(y));
}

}  // namespace

void fill(Out y, real value) { launch(fill_elements, blocks_for(std::ssize(y)), threads, y, value); }

void unary(Unary op, const View<const real>& x, Out y) {
  const Walk<1> walk(x.shape, {&x.strides}, 0, x.shape.rank());
  with_formula(op, [&](auto formula) {
    launch(unary_elements<decltype(formula)>, blocks_for(walk.count), threads, formula, walk, elements(x), y);
  });
}

void binary(Binary op, const View<const real>& a, const View<const real>& b, Out y) {
  const Walk<2> walk(a.shape, {&a.strides, &b.strides}, 0, a.shape.rank());
  const bool fours = in_fours<real>(walk, {a.data, b.data, y.data()});
  with_formula(op, [&](auto formula) {
    using F = decltype(formula);
    launch(fours ? binary_elements<4, F> : binary_elements<1, F>, blocks_for(walk.count / (fours ? 4 : 1)),
           threads, formula, walk, elements(a), elements(b), y);
  });
}

void copy(const View<const real>& x, const View<real>& y) { copy_strided(x, y); }
void copy_int(const View<const std::int32_t>& x, const View<std::int32_t>& y) { copy_strided(x, y); }

void gather(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(gather_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

void scatter_add(In x, Index K, std::span<const std::int32_t> i, Out y) {
  launch(scatter_elements, blocks_for(std::ssize(y)), threads, x, K, i, y);
}

void random(Random kind, std::span<const std::int32_t> state, Out y) {
  if (!y.empty()) launch(random_blocks, blocks_for(std::ssize(y) / 4 + 2), threads, kind, state, y);
}

void adam(In settings, std::span<const AdamArrays> parameters) {
  launch_multi(parameters, [&](const MultiTensor<AdamArrays>& some) {
    launch(adam_elements, some.blocks(), threads, settings, some);
  });
}

void lerp(In weight, std::span<const LerpArrays> arrays) {
  launch_multi(arrays, [&](const MultiTensor<LerpArrays>& some) {
    launch(lerp_elements, some.blocks(), threads, weight, some);
  });
}

}  // namespace dale::cuda
