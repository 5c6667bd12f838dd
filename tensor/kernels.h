// The seam between machines. A machine is one table of the functions below; the raw layer has verbs, not ops
// (a map, a zip, a reduction, a product …), so an elementwise op is a row of scalar.h and no new kernel.
//
// Read first: shape.h, scalar.h. Shape letters: N images, C input channels, O output channels, H×W and OH×OW
// pixels, kh×kw taps, G groups.
//
// For all kernels
//   REQUIRES: sizes as stated; views stay inside their extent; an output overlaps no input unless stated.
//   Outputs come uninitialised and are written whole. Axes may have length 0.
//   DETERMINISM: the same bits for any number of threads; no atomics on floating point.
//   Kernels check nothing: the ops do, once. What changes from step to step (keys, counters, learning rates)
//   is read from the machine's memory, because a captured CUDA graph freezes what is passed by value.
#pragma once

#include <span>
#include <type_traits>

#include "tensor/scalar.h"
#include "tensor/shape.h"

namespace dale {

/// An array as a kernel sees it: element (i₀,…) is data[Σ i_k strides_k], and lies below data + extent.
template <class T> struct View {
  T* data;
  Index extent;
  Shape shape;
  Strides strides;
};

/// The numbers of an array that lie in a row: read, and written.
using In = std::span<const real>;
using Out = std::span<real>;

enum class Reduce { sum, max };
enum class Random { uniform, normal };

/// The convolution's trilinear form T(x,w,y) = Σ x[n,i·sh−ph+a·dh,j·sw−pw+b·dw,c] w[o,c,a,b] y[n,i,j,o] over
/// all indices for which x's are inside the image: (I.6). In memory an image's channels lie side by side.
struct ConvShape {
  Index N, C, H, W, O, kh, kw, OH, OW;
  Index sh, sw, ph, pw, dh, dw;
};

/// Settings of one Adam step, as they lie in memory.
// clang-format off
enum AdamSetting { learning_rate, beta1, beta2, epsilon, decay, correction1, correction2, gradient_scale,
                   adam_settings };
// clang-format on
/// What they make of a number w of gradient g and its moments: Kernels::adam, said once for all machines.
struct AdamStep {
  real s[adam_settings];

  template <class Settings> DALE_BOTH explicit AdamStep(const Settings& settings) {
    for (int k = 0; k < adam_settings; ++k) s[k] = settings[k];
  }
  DALE_BOTH void operator()(real g, real& m, real& v, real& w) const {
    const real gi = s[gradient_scale] * g;
    m = s[beta1] * m + (1 - s[beta1]) * gi;
    v = s[beta2] * v + (1 - s[beta2]) * gi * gi;
    w -= s[learning_rate] *
         (m * s[correction1] / (scalar::sqrt(v * s[correction2]) + s[epsilon]) + s[decay] * w);
  }
};

/// One parameter's part in a step of Adam, and in an average: arrays of one length each.
struct AdamArrays {
  In g;
  Out m, v, w;
};
struct LerpArrays {
  In x;
  Out y;
};

struct Kernels {
  /// y[i] = value
  void (*fill)(Out y, real value);

  /// y[i] = op(x[i]); y is contiguous in x's shape and may be x itself.
  void (*unary)(Unary op, const View<const real>& x, Out y);

  /// y[i] = op(a[i], b[i]); a and b have one shape, y is contiguous in it and may be a or b itself.
  void (*binary)(Binary op, const View<const real>& a, const View<const real>& b, Out y);

  /// y[i] = x[i]; one shape, any strides, except that no two elements of y share a place.
  void (*copy)(const View<const real>& x, const View<real>& y);
  void (*copy_int)(const View<const std::int32_t>& x, const View<std::int32_t>& y);

  /// y[k] = op over r of x[k,r]: the first `kept` axes of x are k, the rest r; y is contiguous over k. The
  /// sum over nothing is 0, the maximum −∞; a NaN in x gives NaN.
  void (*reduce)(Reduce op, const View<const real>& x, int kept, Out y);

  /// y[b,m,n] = Σ_k a[b,m,k] b[b,k,n]. Of each factor's last two strides one is 1 (or its axis has length ≤
  /// 1) and the other at least the length it steps over; the batch stride is free (0 repeats a matrix). y is
  /// contiguous.
  void (*matmul)(const View<const real>& a, const View<const real>& b, Out y);

  /// The three derivatives of T. x (N,H,W,C), w (O,C,kh,kw), y (N,OH,OW,O), all contiguous. The first adds to
  /// ∂T/∂y what its neighbours would otherwise add in passes of their own: shift, none or (O) or (N,O), and
  /// residual, none or (N,OH,OW,O); the third also makes the gradient of a shift (O), Σ y over images and
  /// pixels, where one is asked for.
  void (*conv2d)(const ConvShape& s, In x, In w, In shift, In residual, Out y);
  void (*conv2d_input)(const ConvShape& s, In y, In w, Out x);
  void (*conv2d_weight)(const ConvShape& s, In x, In y, Out w, Out shift);

  /// y[m,:] = x[i[m],:] for x (R,K), i (M), y (M,K). REQUIRES 0 ≤ i < R.
  void (*gather)(In x, Index K, std::span<const std::int32_t> i, Out y);
  /// y[i[m],:] += x[m,:] in order of m, from y = 0. x (M,K), y (R,K).
  void (*scatter_add)(In x, Index K, std::span<const std::int32_t> i, Out y);

  /// y[e] = element counter + e of the stream of `key` (random.h), where state = {key, counter}, two 64-bit
  /// numbers as low and high words.
  void (*random)(Random kind, std::span<const std::int32_t> state, Out y);

  /// Group normalisation with SiLU if `silu`:  z = (x − mean) rstd gamma + beta,  y = z or z σ(z), with mean
  /// and rstd = 1/√(var + eps) over each group of C/G channels of an image. x, y (N,L,C); gamma, beta (C);
  /// mean, rstd (N,G).
  void (*group_norm)(Index N, Index C, Index L, Index G, real eps, bool silu, In x, In gamma, In beta, Out y,
                     Out mean, Out rstd);
  /// Its gradients for the upstream g (N,L,C): gx (N,L,C), ggamma (C), gbeta (C). gx may be g itself.
  void (*group_norm_gradient)(Index N, Index C, Index L, Index G, bool silu, In g, In x, In gamma, In beta,
                              In mean, In rstd, Out gx, Out ggamma, Out gbeta);

  /// y[k] = Σ_i x_k[i]².
  void (*squared_norms)(std::span<const In> x, Out y);

  /// One step of Adam in place, of all parameters at once (Kingma & Ba 2015, with the decoupled decay of
  /// Loshchilov & Hutter 2019):
  ///   g ← gradient_scale g,  m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
  ///   w ← w − lr (m correction1 / (√(v correction2) + ε) + decay w)
  void (*adam)(In settings, std::span<const AdamArrays> parameters);

  /// y ← y + t (x − y) for all arrays, with t = weight[0].
  void (*lerp)(In weight, std::span<const LerpArrays> arrays);
};

/// The functions above by name, in their order: each machine's declarations and table come from this list.
// clang-format off
#define DALE_VERBS(row)                                                                              \
  row(fill) row(unary) row(binary) row(copy) row(copy_int) row(reduce) row(matmul)                   \
  row(conv2d) row(conv2d_input) row(conv2d_weight) row(gather) row(scatter_add) row(random)          \
  row(group_norm) row(group_norm_gradient) row(squared_norms) row(adam) row(lerp)
// clang-format on
#define DALE_FUNCTION(verb) std::remove_pointer_t<decltype(Kernels::verb)> verb;
namespace cpu {
DALE_VERBS(DALE_FUNCTION)
}
namespace cuda {
DALE_VERBS(DALE_FUNCTION)
}
#undef DALE_FUNCTION

#define DALE_COUNT(verb) +1
static_assert(sizeof(Kernels) == sizeof(Kernels::fill) * (DALE_VERBS(DALE_COUNT)), "DALE_VERBS lacks a verb");
#undef DALE_COUNT

/// The CPU machine's table for the widest vector instructions that this processor has (cpu/level.cpp).
const Kernels& cpu_kernels();
extern const Kernels cuda_kernels;

}  // namespace dale
