// Convolution: the three derivatives of T(x,w,y) (kernels.h), channels side by side. The plain kernels are
// the sums of conv_plain.h, a thread an output, and the specification of the others, which are one product of
// windows (windows.h) each. Taps are brought into the product's order by a strided copy, and the partial sums
// of the weights' gradient, over pieces of the pixels, are added in their order.
#include "tensor/conv_plain.h"
#include "tensor/cuda/machine.h"
#include "tensor/cuda/windows.h"

namespace dale::cuda {
namespace {

// ---- Plain: a thread an output

__global__ void conv2d_plain(const __grid_constant__ ConvShape s, Span<const real> x, Span<const real> w,
                             Span<const real> shift, Span<const real> residual, Span<real> y) {
  for (Index e = first(); e < std::ssize(y); e += step())
    y[e] = plain::conv2d<real>(s, x, w, shift, residual, e);
}

__global__ void conv2d_input_plain(const __grid_constant__ ConvShape s, Span<const real> y,
                                   Span<const real> w, Span<real> x) {
  for (Index e = first(); e < std::ssize(x); e += step()) x[e] = plain::conv2d_input<real>(s, y, w, e);
}

__global__ void conv2d_weight_plain(const __grid_constant__ ConvShape s, Span<const real> x,
                                    Span<const real> y, Span<real> w) {
  for (Index e = first(); e < std::ssize(w); e += step()) w[e] = plain::conv2d_weight<real>(s, x, y, e);
}

// ---- Tiled

/// The tiles count in 32 bits.
int i(Index v) { return static_cast<int>(v); }
bool fits(const ConvShape& s) {
  constexpr Index most = 1 << 30;
  return s.N * s.H * s.W * s.C < most && s.N * s.OH * s.OW * s.O < most && s.C * s.kh * s.kw * s.O < most &&
         s.N * s.OH * s.OW * std::max<Index>(1, s.C) < most && 2 * (s.H + 2 * s.ph) < most &&
         2 * (s.W + 2 * s.pw) < most && s.sh < most && s.sw < most;
}
bool plainly(const ConvShape& s) { return cuda_products() == CudaProducts::plain || !fits(s); }

/// Whether rows of so many elements can be read and written four at a time.
bool in_fours(In data, Index row) { return row % 4 == 0 && aligned<real, 4>(data.data()); }

/// Windows of x (N,H,W,C) that the pixels of y see, and of y (N,OH,OW,O) that the pixels of x are seen by.
Windows windows_of_x(const ConvShape& s, In x) {
  return {x,       i(s.N),  i(s.H),   i(s.W),   i(s.C),  i(s.OH), i(s.OW), i(s.kw), i(s.C * s.kh * s.kw),
          i(s.sh), i(s.sw), -i(s.ph), -i(s.pw), i(s.dh), i(s.dw), 1,       1,       in_fours(x, s.C)};
}
Windows windows_of_y(const ConvShape& s, In y) {
  return {y, i(s.N), i(s.OH), i(s.OW), i(s.O),   i(s.H),   i(s.W),  i(s.kw), i(s.O * s.kh * s.kw),
          1, 1,      i(s.ph), i(s.pw), -i(s.dh), -i(s.dw), i(s.sh), i(s.sw), in_fours(y, s.O)};
}

template <bool simple, bool transposed, int BM, int BN, template <bool, int, int> class Work>
void start(const Windows& a, In b, Sums sums, Index splits) {
  const Index blocks = splits * ((Index{sums.M} + BM - 1) / BM) * ((sums.N + BN - 1) / BN);
  sums.fours = in_fours(sums.y, sums.N) && in_fours(sums.shift, sums.N) && in_fours(sums.residual, sums.N);
  launch(tiled_product<simple, transposed, BM, BN, Work>, blocks, threads, a, b, in_fours(b, sums.N), sums);
}

template <bool simple, bool transposed, int BM, int BN>
void product(const Windows& a, In b, const Sums& sums, Index splits = 1) {
#ifndef DALE_DOUBLE
  if (cuda_products() == CudaProducts::full)
    return start<simple, transposed, BM, BN, SplitTF32>(a, b, sums, splits);
  if (cuda_products() == CudaProducts::tf32)
    return start<simple, transposed, BM, BN, TF32>(a, b, sums, splits);
#endif
  start<simple, transposed, BM, transposed ? std::max(BN, 32) : BN, Lanes>(a, b, sums, splits);
}

constexpr Index multiprocessors = 132;  // of a large device: each should have a block, or two

/// The larger tile reads each operand less often, but must leave no multiprocessor without work; a transposed
/// product has its splits for that. Which tile it is changes no sum.
template <bool transposed> void windows_times(const Windows& a, In b, const Sums& sums, Index splits = 1) {
  const auto serves = [&](Index m, Index n) {
    return transposed || (sums.M + m - 1) / m * ((sums.N + n - 1) / n) >= multiprocessors;
  };
  if (!a.simple()) return product<false, transposed, 128, 32>(a, b, sums, splits);
  if (sums.N <= 8) return product<true, transposed, 128, 8>(a, b, sums, splits);
  if (sums.N > 32 && serves(128, 64)) return product<true, transposed, 128, 64>(a, b, sums, splits);
  if (serves(128, 32)) return product<true, transposed, 128, 32>(a, b, sums, splits);
  if constexpr (!transposed) product<true, transposed, 64, 32>(a, b, sums, splits);
}

/// w[o,c,tap] = Σ_s partial[s,(tap,c),o], and the row behind them, if any, in shift[o]. A block makes 32
/// sums; thread (lane, sum) takes every eighth term, and the lanes' sums are added in their order.
__global__ void sum_splits(const __grid_constant__ ConvShape s, Index splits, Span<const real> partial,
                           Span<real> w, Span<real> shift) {
  constexpr int sums = 32, lanes = threads / sums;
  DALE_SHARED(real, of_lanes, threads);
  const int t = static_cast<int>(threadIdx.x), lane = t / sums;
  const Index all = std::ssize(w) + std::ssize(shift), e = Index{blockIdx.x} * sums + t % sums;
  real sum = 0;
  for (Index k = lane; e < all && k < splits; k += lanes) sum += partial[k * all + e];
  of_lanes[t] = sum;
  __syncthreads();
  if (lane != 0 || e >= all) return;
  for (int l = 1; l < lanes; ++l) sum += of_lanes[l * sums + t];
  const Index q = e / s.O, o = e - q * s.O;
  if (e >= std::ssize(w)) {
    shift[o] = sum;
  } else {
    const Index tap = q / s.C;
    w[(o * s.C + q - tap * s.C) * s.kh * s.kw + tap] = sum;
  }
}

/// y[i,j,k] = x[i·strides[0] + j·strides[1] + k·strides[2]], contiguous.
void reorder(In x, const Shape& shape, const Strides& strides, Out y) {
  copy({x.data(), std::ssize(x), shape, strides}, {y.data(), std::ssize(y), shape, row_major(shape)});
}

}  // namespace

void conv2d(const ConvShape& s, In x, In w, In shift, In residual, Out y) {
  if (plainly(s))
    return launch(conv2d_plain, blocks_for(std::ssize(y)), threads, s, x, w, shift, residual, y);
  const Index taps = s.kh * s.kw, K = s.C * taps;
  const Scratch b(std::ssize(w));  // (taps,C,O)
  reorder(w, {taps, s.C, s.O}, {1, taps, K}, b.span());
  const Windows a = windows_of_x(s, x);
  windows_times<false>(a, b.span(),
                       {.M = a.rows(),
                        .N = i(s.O),
                        .K = a.columns,
                        .length = a.columns,
                        .pixels = i(s.OH * s.OW),
                        .shifts_an_image = std::ssize(shift) == s.O ? 0 : i(s.O),
                        .shift = shift,
                        .residual = residual,
                        .y = y});
}

void conv2d_input(const ConvShape& s, In y, In w, Out x) {
  if (plainly(s)) return launch(conv2d_input_plain, blocks_for(std::ssize(x)), threads, s, y, w, x);
  const Index taps = s.kh * s.kw;
  const Windows a = windows_of_y(s, y);
  const Sums sums{.M = a.rows(), .N = i(s.C), .K = a.columns, .length = a.columns, .y = x};
  if (taps == 1) return windows_times<false>(a, w, sums);
  const Scratch b(std::ssize(w));  // (taps,O,C)
  reorder(w, {taps, s.O, s.C}, {1, s.C * taps, taps}, b.span());
  windows_times<false>(a, b.span(), sums);
}

void conv2d_weight(const ConvShape& s, In x, In y, Out w, Out shift) {
  const Index pixels = s.N * s.OH * s.OW;
  if (plainly(s)) {
    launch(conv2d_weight_plain, blocks_for(std::ssize(w)), threads, s, x, y, w);
    return reduce(Reduce::sum, {y.data(), std::ssize(y), {std::ssize(shift), pixels}, {1, s.O}}, 1, shift);
  }
  Windows a = windows_of_x(s, x);
  a.and_ones = !shift.empty();  // whose products with y are its sums
  const Index K = a.columns + a.and_ones;
  const Index tiles = (K + 127) / 128 * ((s.O + 63) / 64), slabs = (pixels + BK - 1) / BK;
  const Index wanted =
      std::clamp<Index>(2 * multiprocessors / std::max<Index>(1, tiles), 1, std::max<Index>(1, slabs / 4));
  const Index length = std::max<Index>(1, (slabs + wanted - 1) / wanted) * BK;
  const Index splits = std::max<Index>(1, (pixels + length - 1) / length);

  const Scratch partial(splits * K * s.O);  // (splits,(taps,C),O)
  windows_times<true>(a, y, {.M = i(K), .N = i(s.O), .K = a.rows(), .length = i(length), .y = partial.span()},
                      splits);
  launch(sum_splits, (K * s.O + 31) / 32, threads, s, splits, partial.span(), w, shift);
}

}  // namespace dale::cuda
