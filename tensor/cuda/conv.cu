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
         s.N * s.OH * s.OW * std::max<Index>(1, s.C) < most;
}
bool plainly(const ConvShape& s) { return cuda_products() == CudaProducts::plain || !fits(s); }

bool in_fours(const real* data, Index row) {
  return row % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % alignof(Vec4<real>) == 0;
}

/// Windows of x (N,H,W,C) that the pixels of y see, and of y (N,OH,OW,O) that the pixels of x are seen by.
Windows windows_of_x(const ConvShape& s, In x) {
  return {x,       i(s.N),  i(s.H),   i(s.W),   i(s.C),  i(s.OH), i(s.OW), i(s.kw), i(s.C * s.kh * s.kw),
          i(s.sh), i(s.sw), -i(s.ph), -i(s.pw), i(s.dh), i(s.dw), 1,       1,       in_fours(x.data(), s.C)};
}
Windows windows_of_y(const ConvShape& s, In y) {
  return {y, i(s.N), i(s.OH), i(s.OW), i(s.O),   i(s.H),   i(s.W),  i(s.kw), i(s.O * s.kh * s.kw),
          1, 1,      i(s.ph), i(s.pw), -i(s.dh), -i(s.dw), i(s.sh), i(s.sw), in_fours(y.data(), s.O)};
}

template <bool transposed, int BM, int BN>
void product(const Windows& a, In b, const Sums& sums, Index splits = 1) {
  const Index blocks = splits * ((Index{sums.M} + BM - 1) / BM) * ((sums.N + BN - 1) / BN);
  const bool fours = in_fours(b.data(), sums.N);
#ifndef DALE_DOUBLE
  if (cuda_products() == CudaProducts::tf32)
    return launch(tiled_product<transposed, BM, BN, MatrixUnits>, blocks, threads, a, b, fours, sums);
#endif
  launch(tiled_product<transposed, BM, BN, Lanes>, blocks, threads, a, b, fours, sums);
}

constexpr Index enough_blocks = 264;  // two for each of a large device's multiprocessors

/// The larger tile reads each operand less often, but must leave no multiprocessor without work.
void windows_times(const Windows& a, In b, const Sums& sums) {
  if (sums.N <= 32) return product<false, 128, 32>(a, b, sums);
  const Index large_tiles = (Index{sums.M} + 127) / 128 * ((sums.N + 63) / 64);
  if (large_tiles >= enough_blocks) return product<false, 128, 64>(a, b, sums);
  product<false, 64, 32>(a, b, sums);
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
  windows_times(a, b.span(),
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
  const Scratch b(std::ssize(w));  // (taps,O,C)
  reorder(w, {taps, s.O, s.C}, {1, s.C * taps, taps}, b.span());
  const Windows a = windows_of_y(s, y);
  windows_times(a, b.span(), {.M = a.rows(), .N = i(s.C), .K = a.columns, .length = a.columns, .y = x});
}

void conv2d_weight(const ConvShape& s, In x, In y, Out w) {
  if (plainly(s)) return launch(conv2d_weight_plain, blocks_for(std::ssize(w)), threads, s, x, y, w);
  const Index taps = s.kh * s.kw, K = s.C * taps;
  const Windows a = windows_of_x(s, x);
  const Index tiles = (K + 127) / 128 * ((s.O + 63) / 64), slabs = (a.rows() + BK - 1) / BK;
  const Index wanted =
      std::clamp<Index>(enough_blocks / std::max<Index>(1, tiles), 1, std::max<Index>(1, slabs / 4));
  const Index length = std::max<Index>(1, (slabs + wanted - 1) / wanted) * BK;
  const Index splits = std::max<Index>(1, (a.rows() + length - 1) / length);

  const Scratch partial(splits * K * s.O), total(K * s.O);  // (splits,taps,C,O), (taps,C,O)
  const Sums sums{.M = i(K), .N = i(s.O), .K = a.rows(), .length = i(length), .y = partial.span()};
  if (s.O <= 32)
    product<true, 128, 32>(a, y, sums, splits);
  else
    product<true, 128, 64>(a, y, sums, splits);
  reduce(Reduce::sum, {partial.span().data(), splits * K * s.O, {K * s.O, splits}, {1, K * s.O}}, 1,
         total.span());
  reorder(total.span(), {s.O, s.C, taps}, {1, s.O, s.C * s.O}, w);
}

}  // namespace dale::cuda
