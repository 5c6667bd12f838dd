// The verbs of kernels.h as functions of arrays: each allocates its result on its arguments' machine and
// calls that machine's kernel. No gradients here and no checks of meaning: the ops of autograd/ops.h are the
// checked face, with the same names, so these live in a namespace of their own.
//
// A result lies in memory as its (first full) argument does. Convolution makes images with their channels
// side by side, which is what its inner loops want, and maps, sums and joins then leave them so: the order of
// axes in memory is a matter of strides, never of meaning.
#pragma once

#include "tensor/draw.h"
#include "tensor/tensor.h"

namespace dale {

namespace raw {

/// Uninitialised, with its axes in the order in memory that like's have. REQUIRES equal ranks.
Tensor laid_out_like(const Tensor& like, const Shape& shape);
Tensor unary(Unary op, const Tensor& x);
/// REQUIRES one shape (stretch with broadcast_to, which costs nothing).
Tensor binary(Binary op, const Tensor& a, const Tensor& b);
/// y ← op(y, b), in y's memory. REQUIRES y without gaps (as every result here is), one shape.
void binary_into(Binary op, Tensor& y, const Tensor& b);
/// y[i] ← value. REQUIRES y without gaps.
void fill(Tensor& y, real value);
/// Writes x's elements to y's places. REQUIRES one shape.
void copy_into(Tensor y, const Tensor& x);
/// Over `axes` (each in [0, rank), ascending), which stay as axes of length 1.
Tensor reduce(Reduce op, const Tensor& x, const Axes& axes);
/// Σ x² of each array, (K) on their machine. REQUIRES at least one.
Tensor squared_norms(const std::vector<Tensor>& xs);
/// (B,M,K)·(B,K,N) → (B,M,N), any strides.
Tensor matmul(const Tensor& a, const Tensor& b);
/// T(x,w,·) of kernels.h: x (N,C,H,W), w (O,C,kh,kw) → (N,O,OH,OW), plus shift (O) or (N,O) and a residual of
/// the result's shape, either of which may be undefined. REQUIRES shapes as s has them; so for its adjoints.
Tensor conv2d(const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& shift = {},
              const Tensor& residual = {});
/// T(·,w,y): y (N,O,OH,OW) → (N,C,H,W); and T(x,·,y) → (O,C,kh,kw), with Σ y over images and pixels in shift
/// (O) where it is not null.
Tensor conv2d_input(const ConvShape& s, const Tensor& y, const Tensor& w);
Tensor conv2d_weight(const ConvShape& s, const Tensor& x, const Tensor& y, Tensor* shift = nullptr);
/// x (N,C,…) as (N,…,C), and back: views.
Tensor channels_last(const Tensor& x);
Tensor channels_first(const Tensor& x);
/// Rows x[i[m]] of x (R,…) → (M,…); and its adjoint, row r of the result being the sum of the rows m of x
/// (M,…) with i[m] = r, in their order. i is read in row-major order. REQUIRES 0 ≤ i[m] < R, both on one
/// machine.
Tensor gather(const Tensor& x, const IntTensor& i);
Tensor scatter_add(const Tensor& x, const IntTensor& i, Index R);
/// How many elements are NaN or infinite, in one number on x's machine.
Tensor count_not_finite(const Tensor& x);

}  // namespace raw

/// Whether no element is NaN or infinite; the host waits for the answer.
bool all_finite(const Tensor& x);

}  // namespace dale
