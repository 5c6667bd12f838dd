// The vocabulary: every differentiable operation, by its mathematical name. Each op's formula, checks and rule stand
// together in the file named beside its group. Shapes broadcast as in NumPy where an op says so: aligned at the last
// axis, unit axes stretch; the stretching is itself the op broadcast_to, whose rule is sum_to.
//
// All throw std::invalid_argument "[op] …" for shapes that do not fit. Read first: var.h.
#pragma once

#include <array>

#include "autograd/var.h"

namespace dale {

// ---- elementwise.cpp: broadcast ---------------------------------------------------------------------------------
Var operator+(const Var& a, const Var& b);
Var operator-(const Var& a, const Var& b);
Var operator*(const Var& a, const Var& b);
Var operator/(const Var& a, const Var& b);
Var operator+(const Var& a, real b);
Var operator-(const Var& a, real b);
Var operator*(const Var& a, real b);
Var operator/(const Var& a, real b);
Var operator+(real a, const Var& b);
Var operator-(real a, const Var& b);
Var operator*(real a, const Var& b);
Var operator/(real a, const Var& b);
Var operator-(const Var& x);
Var exp(const Var& x);
Var log(const Var& x);
Var sqrt(const Var& x);
Var square(const Var& x);
Var reciprocal(const Var& x);
Var sin(const Var& x);
Var cos(const Var& x);
/// 1/(1 + e⁻ˣ)
Var sigmoid(const Var& x);
/// x σ(x)
Var silu(const Var& x);

// ---- shape.cpp: views and their adjoints ------------------------------------------------------------------------
/// One axis may be −1.
Var reshape(const Var& x, const Shape& shape);
/// Axis k of the result is axis axes[k] of x.
Var permute(const Var& x, const Axes& axes);
/// Indices begin, begin + step, … below end of an axis.
Var slice(const Var& x, int axis, Index begin, Index end, Index step = 1);
/// x laid at begin, begin + step, … of an axis of `length` zeros: the adjoint of slice.
Var place(const Var& x, int axis, Index begin, Index step, Index length);
/// Arrays side by side along an axis; the other axes are equal.
Var concat(const Vars& xs, int axis);
Var broadcast_to(const Var& x, const Shape& shape);
/// Sums over the axes that broadcast_to would have stretched from `shape`: its adjoint.
Var sum_to(const Var& x, const Shape& shape);
/// Rows x[index[m]] of x (R,…) → (M,…). Throws std::invalid_argument for an index outside [0, R).
Var gather(const Var& x, const IntTensor& index);
/// y (R,…) with y[index[m]] += x[m] from zero: the adjoint of gather.
Var scatter_add(const Var& x, const IntTensor& index, Index R);

// ---- reduce.cpp --------------------------------------------------------------------------------------------------
/// Over `axes`, all of them when none is named; kept as length 1 if keep.
Var sum(const Var& x, const Axes& axes = {}, bool keep = false);
Var mean(const Var& x, const Axes& axes = {}, bool keep = false);

// ---- matmul.cpp --------------------------------------------------------------------------------------------------
/// op(a) op(b) for (M,K)·(K,N) → (M,N), or batches (B,M,K)·(B,K,N) → (B,M,N); op transposes the last two axes if asked.
Var matmul(const Var& a, const Var& b, bool transpose_a = false, bool transpose_b = false);

// ---- conv.cpp: the triad of the trilinear form T of tensor/kernels.h ---------------------------------------------
/// Along (height, width).
struct Window {
  std::array<Index, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
};
/// ∂T/∂y: x (N,C,H,W), w (O,C,kh,kw) → (N,O,OH,OW) with OH = ⌊(H + 2 padding − dilation (kh − 1) − 1)/stride⌋ + 1.
Var conv2d(const Var& x, const Var& w, const Window& window = {});
/// ∂T/∂x: y (N,O,OH,OW), w (O,C,kh,kw) → x_shape (N,C,H,W). Known elsewhere as transposed convolution.
Var conv2d_input(const Var& y, const Var& w, const Shape& x_shape, const Window& window = {});
/// ∂T/∂w: x (N,C,H,W), y (N,O,OH,OW) → w_shape (O,C,kh,kw).
Var conv2d_weight(const Var& x, const Var& y, const Shape& w_shape, const Window& window = {});

// ---- composite.cpp: formulas of the ops above; where one has a fused kernel, the formula stays as its oracle -------
/// Mean of (a − b)².
Var mean_squared_error(const Var& a, const Var& b);
/// Each pixel of x (N,C,H,W) repeated factor × factor times.
Var upsample_nearest(const Var& x, Index factor);
/// Normalises each of `groups` groups of channels of x (N,C,…) to mean 0 and variance 1, then scales and shifts by
/// gamma, beta (C); followed by SiLU if asked. The fused op, and the formula it must equal.
Var group_norm(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps = 1e-5, bool with_silu = false);
Var group_norm_formula(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps, bool with_silu);

}  // namespace dale
