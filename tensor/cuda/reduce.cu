// Reductions y[k] = op over r of x[k,r]. A group of `width` threads, a power of two, makes one output: lane l
// takes terms l, l + width, …, then a tree over the lanes combines theirs; the order depends on shapes and
// strides alone. Few outputs of many terms are first reduced in pieces, (pieces,K) of them, and the pieces
// then like any other array.
//
// Neighbouring threads are the lanes of one output, so that they read neighbouring r; where r's last axis is
// strided and k's is not (sums over rows of a matrix), they are one lane of neighbouring outputs.
#include <bit>
#include <limits>

#include "tensor/cuda/multi_tensor.h"

namespace dale::cuda {
namespace {

/// How K outputs of R terms are shared out. A block's thread t is lane (t / lane_step) % width of output
/// (t / output_step) % outputs_per_block.
struct Plan {
  Index K, R;
  Index pieces, length;  // each output is cut into `pieces` of `length` terms, the last one shorter or empty
  int width, outputs_per_block, lane_step, output_step;
};

Plan plan_of(Index K, Index R, bool columns) {
  Plan p{};
  p.K = K, p.R = R;
  p.width = static_cast<int>(std::bit_ceil(std::clamp<std::uint64_t>(R, 1, columns ? 8 : threads)));
  p.outputs_per_block = threads / p.width;
  p.lane_step = columns ? p.outputs_per_block : 1;
  p.output_step = columns ? 1 : p.width;
  constexpr Index fewest_terms = 16;         // of a lane
  constexpr Index enough_threads = 1 << 18;  // at work on x
  p.pieces = std::min(R / (fewest_terms * p.width), enough_threads / (std::max<Index>(1, K) * p.width));
  p.pieces = std::max<Index>(1, p.pieces);
  p.length = (R + p.pieces - 1) / p.pieces;
  return p;
}

/// y[s,k] = op over the s-th piece of r of x[k,r].
template <class F>
__global__ void reduce_pieces(F combine, real start, Plan p, const __grid_constant__ Walk<1> kept,
                              const __grid_constant__ Walk<1> rest, Span<const real> x, Span<real> y) {
  DALE_SHARED(real, partial, threads);
  const int t = static_cast<int>(threadIdx.x);
  const int lane = t / p.lane_step % p.width, output = t / p.output_step % p.outputs_per_block;
  const Index outputs = std::ssize(y), stride = Index{gridDim.x} * p.outputs_per_block;
  for (Index block = Index{blockIdx.x} * p.outputs_per_block; block < outputs; block += stride) {
    const Index o = block + output;
    real total = start;
    if (o < outputs) {
      const Index s = o / p.K, k = o - s * p.K, row = kept(k)[0];
      const Index end = (s + 1) * p.length < p.R ? (s + 1) * p.length : p.R;
      for (Index r = s * p.length + lane; r < end; r += p.width) total = combine(total, x[row + rest(r)[0]]);
    }
    partial[t] = total;
    for (int half = p.width / 2; half > 0; half /= 2) {
      __syncthreads();
      if (lane < half) {
        const real mine = partial[t], other = partial[t + half * p.lane_step];
        partial[t] = combine(mine, other);
      }
    }
    if (o < outputs && lane == 0) y[o] = partial[t];
    __syncthreads();  // before the next outputs' lanes are written over these
  }
}

template <class F> void reduce_with(F combine, real start, const View<const real>& x, int kept_axes, Out y) {
  const Walk<1> kept(x.shape, {&x.strides}, 0, kept_axes);
  const Walk<1> rest(x.shape, {&x.strides}, kept_axes, x.shape.rank());
  const bool columns = kept.run_stride(0) == 1 && rest.run_stride(0) != 1 && kept.count >= 16;
  const Plan p = plan_of(kept.count, rest.count, columns);
  const Index outputs = p.K * p.pieces, tiles = (outputs + p.outputs_per_block - 1) / p.outputs_per_block;
  const auto pass = [&](Out out) {
    launch(reduce_pieces<F>, at_most_blocks(tiles), threads, combine, start, p, kept, rest, elements(x), out);
  };
  if (p.pieces == 1) return pass(y);
  const Scratch pieces(outputs);
  pass(pieces.span());
  reduce_with(combine, start, {pieces.span().data(), outputs, {p.K, p.pieces}, {1, p.K}}, 1, y);
}

/// Σ of what the block's threads bring, in the order of a tree; thread 0 gets it.
__device__ real block_sum(real mine) {
  DALE_SHARED(real, sums, threads);
  const int t = static_cast<int>(threadIdx.x);
  sums[t] = mine;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      const real a = sums[t], b = sums[t + half];
      sums[t] = a + b;
    }
  }
  return t == 0 ? real(sums[0]) : 0;
}

/// partial[b] = Σ x² over block b's elements of its array.
__global__ void squares_of_blocks(const __grid_constant__ MultiTensor<In> arrays, Span<real> partial) {
  real total = 0;
  arrays.elements([&](const Span<const real> x, Index i) { total += x[i] * x[i]; });
  total = block_sum(total);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

/// y[k] = Σ partial over array k's blocks; a block an array.
__global__ void sums_of_arrays(const __grid_constant__ MultiTensor<In> arrays, Span<const real> partial,
                               Span<real> y) {
  const Index k = blockIdx.x, end = arrays.first_block[k + 1];
  real total = 0;
  for (Index b = arrays.first_block[k] + threadIdx.x; b < end; b += threads) total += partial[b];
  total = block_sum(total);
  if (threadIdx.x == 0) y[k] = total;
}

}  // namespace

void squared_norms(std::span<const In> x, Out y) {
  launch_multi(x, [&](const MultiTensor<In>& some) {
    const Scratch partial(some.blocks());
    launch(squares_of_blocks, some.blocks(), threads, some, partial.span());
    launch(sums_of_arrays, some.count, threads, some, partial.span(),
           y.first(static_cast<std::size_t>(some.count)));
    y = y.subspan(static_cast<std::size_t>(some.count));
  });
}

void reduce(Reduce op, const View<const real>& x, int kept, Out y) {
  if (op == Reduce::sum)
    reduce_with(binary_formula::add{}, 0, x, kept, y);
  else
    reduce_with(binary_formula::maximum{}, -std::numeric_limits<real>::infinity(), x, kept, y);
}

}  // namespace dale::cuda
