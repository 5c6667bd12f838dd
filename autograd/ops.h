// The vocabulary: every differentiable operation, by its mathematical name. Each op's formula, checks and
// rule stand together in the file named beside its group. Shapes broadcast as in NumPy where an op says so:
// aligned at the last axis, unit axes stretch; the stretching is itself the op broadcast_to, whose rule is
// sum_to.
//
// All throw std::invalid_argument "[op] …" for shapes that do not fit. Read first: var.h.
#pragma once

#include <array>

#include "autograd/var.h"

namespace dale {

/// A constant of one element, to broadcast, where `like` is.
Var constant(real value, const Var& like);

// ---- elementwise.cpp: broadcast
Var operator+(const Var& a, const Var& b);
Var operator-(const Var& a, const Var& b);
Var operator*(const Var& a, const Var& b);
Var operator/(const Var& a, const Var& b);
// A number stands for a constant where the other is.
inline Var operator+(const Var& a, real b) { return a + constant(b, a); }
inline Var operator-(const Var& a, real b) { return a - constant(b, a); }
inline Var operator*(const Var& a, real b) { return a * constant(b, a); }
inline Var operator/(const Var& a, real b) { return a / constant(b, a); }
inline Var operator+(real a, const Var& b) { return constant(a, b) + b; }
inline Var operator-(real a, const Var& b) { return constant(a, b) - b; }
inline Var operator*(real a, const Var& b) { return constant(a, b) * b; }
inline Var operator/(real a, const Var& b) { return constant(a, b) / b; }
Var operator-(const Var& x);
/// aᵇ. At a = 0 the gradients are those of the limit where it is finite: 0 for b = 0, and 0 with respect to
/// b.
Var power(const Var& a, const Var& b);
inline Var power(const Var& a, real b) { return power(a, constant(b, a)); }
Var exp(const Var& x);
/// eˣ − 1 and log(1 + x), exact near 0.
Var expm1(const Var& x);
Var log(const Var& x);
Var log1p(const Var& x);
Var sqrt(const Var& x);
/// 1/√x
Var rsqrt(const Var& x);
Var square(const Var& x);
Var reciprocal(const Var& x);
/// |x|, with derivative 0 at 0.
Var abs(const Var& x);
Var sin(const Var& x);
Var cos(const Var& x);
Var tanh(const Var& x);
Var erf(const Var& x);
/// 1/(1 + e⁻ˣ)
Var sigmoid(const Var& x);
/// log(1 + eˣ)
Var softplus(const Var& x);
/// x σ(x)
Var silu(const Var& x);
/// The larger, the smaller; NaN if either is. Where they are equal each gets half the gradient.
Var maximum(const Var& a, const Var& b);
Var minimum(const Var& a, const Var& b);
/// 1 where it holds and 0 elsewhere; constants, with no gradient.
Var greater(const Var& a, const Var& b);
Var greater_equal(const Var& a, const Var& b);
Var less(const Var& a, const Var& b);
Var less_equal(const Var& a, const Var& b);
Var equal(const Var& a, const Var& b);
Var not_equal(const Var& a, const Var& b);
/// x where mask is not 0, else 0: unlike a product, 0 also where x is NaN or infinite.
Var masked(const Var& x, const Var& mask);

// ---- shape.cpp: views and their adjoints
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
/// Rows x[index[m]] of x (R,…) → (M,…). Throws std::invalid_argument for an index outside [0, R). A
/// captured function does not check, here nor in scatter_add: REQUIRES indices inside.
Var gather(const Var& x, const IntTensor& index);
/// y (R,…) with y[index[m]] += x[m] from zero: the adjoint of gather.
Var scatter_add(const Var& x, const IntTensor& index, Index R);
/// Of those above, formulas: `before` and `after` zeros along an axis; arrays of one shape along a new axis;
/// parts of the given sizes; the reverse order along an axis.
Var pad(const Var& x, int axis, Index before, Index after);
Var stack(const Vars& xs, int axis);
Vars split(const Var& x, const std::vector<Index>& sizes, int axis);
Var flip(const Var& x, int axis);
/// Rows of table (R,…) for indices of any shape (S…) → (S…,…).
Var embedding(const Var& table, const IntTensor& index);
/// Rows of the identity: (S…) → (S…,classes), real 0 or 1.
Var one_hot(const IntTensor& index, Index classes);

// ---- reduce.cpp
/// Over `axes`, all of them when none is named; kept as length 1 if keep.
Var sum(const Var& x, const Axes& axes = {}, bool keep = false);
Var mean(const Var& x, const Axes& axes = {}, bool keep = false);
/// Equal extremes share the gradient evenly. Of no elements: −∞ and ∞.
Var max(const Var& x, const Axes& axes = {}, bool keep = false);
Var min(const Var& x, const Axes& axes = {}, bool keep = false);
/// The first index of the largest element along an axis, which is dropped, on x's machine. NaN counts as
/// largest. The host reads x, so it cannot be captured.
IntTensor argmax(const Var& x, int axis);
/// Σ (x − mean)² / (n − correction): 0 for the variance of these numbers, 1 for an estimate of where
/// they came from.
Var variance(const Var& x, const Axes& axes = {}, bool keep = false, Index correction = 0);
/// log Σ eˣ, without overflow.
Var logsumexp(const Var& x, const Axes& axes = {}, bool keep = false);
/// eˣ / Σ eˣ along an axis, and its logarithm, without overflow.
Var softmax(const Var& x, int axis);
Var log_softmax(const Var& x, int axis);
/// √Σ x², with gradient 0 where it is 0.
Var norm(const Var& x, const Axes& axes = {}, bool keep = false);

// ---- matmul.cpp
/// op(a) op(b) for (…,M,K)·(…,K,N) → (…,M,N); leading axes broadcast, op transposes the last two
/// axes if asked.
Var matmul(const Var& a, const Var& b, bool transpose_a = false, bool transpose_b = false);

// ---- conv.cpp: the triad of the trilinear form T of tensor/kernels.h
/// Along (height, width).
struct Window {
  std::array<Index, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
};
/// ∂T/∂y: x (N,C,H,W), w (O,C,kh,kw) → (N,O,OH,OW) with
/// OH = ⌊(H + 2 padding − dilation (kh − 1) − 1)/stride⌋ + 1.
Var conv2d(const Var& x, const Var& w, const Window& window = {});
/// conv2d(x, w) + shift + residual in one pass: shift (O) or (N,O), residual (N,O,OH,OW), either left out as
/// Var().
Var conv2d(const Var& x, const Var& w, const Var& shift, const Var& residual, const Window& window = {});
/// ∂T/∂x: y (N,O,OH,OW), w (O,C,kh,kw) → x_shape (N,C,H,W). Known elsewhere as transposed convolution.
Var conv2d_input(const Var& y, const Var& w, const Shape& x_shape, const Window& window = {});
/// ∂T/∂w: x (N,C,H,W), y (N,O,OH,OW) → w_shape (O,C,kh,kw).
Var conv2d_weight(const Var& x, const Var& y, const Shape& w_shape, const Window& window = {});

// ---- composite.cpp: formulas of the ops above; where one has a fused kernel, the formula stays as its
// oracle -------
/// max(x, 0);  x for x > 0, else alpha (eˣ − 1);  x Φ(x) with the normal distribution's Φ.
Var relu(const Var& x);
Var elu(const Var& x, real alpha = 1);
Var gelu(const Var& x);
/// low ≤ y ≤ high. Throws std::invalid_argument unless low ≤ high.
Var clamp(const Var& x, real low, real high);
/// a where condition is not 0, else b; broadcast. What is not chosen leaves no trace, NaN included.
Var where(const Var& condition, const Var& a, const Var& b);
/// Mean of (a − b)².
Var mean_squared_error(const Var& a, const Var& b);
/// Mean over n of −log softmax(logits[n])[labels[n]]: logits (N,K), labels (N) in [0, K).
Var cross_entropy(const Var& logits, const IntTensor& labels);
/// softmax(q kᵀ/√d + mask) v: q (…,T,d), k (…,S,d), v (…,S,e) → (…,T,e).
/// The mask is broadcast to (…,T,S), or left out.
Var attention(const Var& q, const Var& k, const Var& v, const Var& mask = {});
/// Over the last axis of x (…,C), with gamma, beta (C); and over each channel of an image of x (N,C,…).
Var layer_norm(const Var& x, const Var& gamma, const Var& beta, real eps = 1e-5);
Var instance_norm(const Var& x, const Var& gamma, const Var& beta, real eps = 1e-5);
/// Each pixel of x (N,C,H,W) repeated factor × factor times; or interpolated between pixel centres
/// (bilinear, edges held).
Var upsample_nearest(const Var& x, Index factor);
Var upsample_bilinear(const Var& x, Index factor);
/// The largest, or the mean, of each kernel × kernel window of x (N,C,H,W); padding counts as −∞,
/// or as 0.
Var max_pool(const Var& x, Index kernel, Index stride, Index padding = 0);
Var average_pool(const Var& x, Index kernel, Index stride, Index padding = 0);
/// Normalises each of `groups` groups of channels of x (N,C,…) to mean 0 and variance 1, then scales and
/// shifts by gamma, beta (C); followed by SiLU if asked. The fused op, and the formula it must equal.
Var group_norm(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps = 1e-5,
               bool with_silu = false);
Var group_norm_formula(const Var& x, const Var& gamma, const Var& beta, Index groups, real eps,
                       bool with_silu);

}  // namespace dale
