// Reductions y[k] = op over r of x[k,r]. A group of `width` threads, a power of two, makes one output: lane l
// takes terms l, l + width, …, then a tree over the lanes combines theirs; the order depends on shapes and
// strides alone. Few outputs of many terms are cut into pieces, a block a piece of some outputs, and the last
// of these blocks to end combines the pieces in the same way: which it is makes no difference. Of a few terms
// an output is one thread's.
//
// Neighbouring threads are the lanes of one output, so that they read neighbouring r; where r's last axis is
// strided and k's is not (sums over rows of a matrix), they are one lane of neighbouring outputs.
#include <bit>
#include <limits>

#include "tensor/cuda/multi_tensor.h"

namespace dale::cuda {
namespace {

/// How K outputs of R terms are shared out: in `tiles` of `outputs` each, and of a tile `pieces` blocks take
/// `length` terms each, the last one fewer or none. A block's thread t is lane (t / lane_step) % width of
/// output (t / output_step) % outputs.
struct Plan {
  Index K, R, tiles, pieces, length;
  int width, outputs, lane_step, output_step;
};

constexpr Index enough_threads = 1 << 17;  // at work on x

Plan plan_of(Index K, Index R, bool columns) {
  Plan p{};
  p.K = K, p.R = R;
  // Lanes of a column have some four terms at least, and are no more than keep a device at work.
  const Index wanted = R <= 16   ? 1
                       : columns ? std::min({R / 4, enough_threads / std::max<Index>(1, K), Index{32}})
                                 : R;
  p.width = static_cast<int>(std::bit_ceil(std::clamp<std::uint64_t>(wanted, 1, threads)));
  p.outputs = threads / p.width;
  p.lane_step = columns ? p.outputs : 1;
  p.output_step = columns ? 1 : p.width;
  p.tiles = (K + p.outputs - 1) / p.outputs;
  constexpr Index fewest_terms = 16;  // of a lane
  p.pieces = std::min(R / (fewest_terms * p.width), enough_threads / (std::max<Index>(1, p.tiles) * threads));
  p.pieces = std::max<Index>(1, p.pieces);
  p.length = (R + p.pieces - 1) / p.pieces;
  return p;
}

/// How many pieces of a tile have ended: 0 before and after every launch, of which one runs at a time. Two
/// pieces or more have at most so many tiles (plan_of).
__device__ unsigned ended[enough_threads / threads / 2];

/// Whether this is the last of the tile's blocks to come here. It sees what the others wrote before.
__device__ bool is_last(unsigned& count, Index pieces) {
  DALE_SHARED(bool, last, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    const unsigned others = static_cast<unsigned>(pieces - 1);
    __threadfence();
    last[0] = atomicInc(&count, others) == others;
  }
  __syncthreads();
  __threadfence();
  return last[0];
}

/// op over term(r), begin ≤ r < end, by the lanes of an output; lane 0 gets it.
template <class F, class Term>
__device__ real over_lanes(const F& combine, real total, const Plan& p, Index begin, Index end,
                           const Term& term) {
  DALE_SHARED(real, partial, threads);
  const int t = static_cast<int>(threadIdx.x), lane = t / p.lane_step % p.width;
#pragma unroll 4
  for (Index r = begin + lane; r < end; r += p.width) total = combine(total, term(r));
  if (p.width == 1) return total;
  combine_lanes(combine, lane, p.width, p.lane_step, total, partial);
  return partial[t];
}

template <class F>
__global__ void reduce_pieces(F combine, real start, const __grid_constant__ Plan p,
                              const __grid_constant__ Walk<1> kept, const __grid_constant__ Walk<1> rest,
                              Span<const real> x, Span<real> pieces, Span<real> y) {
  const int t = static_cast<int>(threadIdx.x);
  const int lane = t / p.lane_step % p.width, output = t / p.output_step % p.outputs;
  for (Index block = blockIdx.x; block < p.tiles * p.pieces; block += gridDim.x) {
    const Index s = block / p.tiles, tile = block - s * p.tiles, k = tile * p.outputs + output;
    const bool inside = k < p.K;
    const Index row = inside ? kept(k)[0] : 0, begin = s * p.length;
    const Index end = !inside ? begin : begin + p.length < p.R ? begin + p.length : p.R;
    real total = over_lanes(combine, start, p, begin, end, [&](Index r) { return x[row + rest(r)[0]]; });
    if (p.pieces > 1) {
      if (inside && lane == 0) pieces[s * p.K + k] = total;
      if (!is_last(ended[tile], p.pieces)) continue;
      total = over_lanes(combine, start, p, 0, inside ? p.pieces : 0,
                         [&](Index piece) { return pieces[piece * p.K + k]; });
    }
    if (inside && lane == 0) y[k] = total;
  }
}

template <class F> void reduce_with(F combine, real start, const View<const real>& x, int kept_axes, Out y) {
  const Walk<1> kept(x.shape, {&x.strides}, 0, kept_axes);
  const Walk<1> rest(x.shape, {&x.strides}, kept_axes, x.shape.rank());
  const bool columns = kept.run_stride(0) == 1 && rest.run_stride(0) != 1 && kept.count >= 16;
  const Plan p = plan_of(kept.count, rest.count, columns);
  const Scratch pieces(p.pieces > 1 ? p.pieces * p.K : 0);
  launch(reduce_pieces<F>, at_most_blocks(p.tiles * p.pieces), threads, combine, start, p, kept, rest,
         elements(x), pieces.span(), y);
}

/// Σ of what the block's threads bring.
__device__ real block_sum(real mine) {
  DALE_SHARED(real, sums, threads);
  combine_lanes(binary_formula::add{}, static_cast<int>(threadIdx.x), threads, 1, mine, sums);
  return sums[0];
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
