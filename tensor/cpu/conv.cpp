// Convolution and its two adjoints, the derivatives of the trilinear form T (kernels.h), in three rungs:
//
//   plain      every term of T in turn (tensor/conv_plain.h): the specification
//   products   unfold writes the window of every output pixel as a row, col[(i,j), (a,b,c)] = x[i·sh−ph+a·dh,
//              j·sw−pw+b·dw, c]; then with the taps as a matrix W (a,b,c)×(o), some rows of output at a time,
//                y = col · W,    x = fold(y · Wᵀ),    W += colᵀ · y
//              where fold, unfold's adjoint, adds the rows back where they came from: (I.7)
//   Winograd   3×3 taps in steps of 1 (winograd.cpp)
//
// What a rung gains, in milliseconds for ∂T/∂y, ∂T/∂x, ∂T/∂w of 64 images of 28×28 pixels, 32 channels to 32,
// 3×3 taps, on one core with AVX-512 (EPYC, 117 GFLOP/s of multiply-adds at most), and R1's training in
// images/s there:
//
//   plain        150   259   145
//   products      12    12    12      87    69 % of the peak
//   Winograd     3.7   3.6   3.8     190    three times faster; as direct operations, 210 % of the peak
//
// These multiplied by OpenBLAS. With product.h in its place, whose operands need no copy, R1 trains in 220
// images/s instead of 189 on two cores with AVX2 (EPYC), and evaluates 697 instead of 582, where OpenBLAS
// knows the processor; where it does not, 214 instead of 95, and 678 instead of 221.
//
// What stood around the products then cost as much as they. In milliseconds a training step and an evaluation
// of R1 take on one core with AVX2 (EPYC, 93 to 98 Gop/s at most):
//
//   as above                                                                               510   171
//   transforms in registers from load to store, pixels of the next tile asked for early    445   145
//   norms' sums in registers, exp with fewer operations in a row                           407   136
//   mirrored shapes (below), taps' gradients in fewer and longer sums                      376   134
//   pixels found by row, planes of taps on odd lines                                       363   124
//
// The products alone, 17 and 5.6 Gop, would take 178 and 59 ms at 95 Gop/s. What is left lies in memory: x
// and y of a layer at 28×28 are larger than the second-level cache.
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/product.h"
#include "tensor/cpu/winograd.h"
#include "tensor/walk.h"

namespace dale::cpu {
namespace {

/// Calls f(place in col, place in x, n) for each run of n numbers that the windows of output rows [begin,
/// end) take from x together, with −1 for x where they read outside of the image: a run is the taps of a row
/// of the window (with dilation, a single tap) that lie inside, or one that does not.
template <class F> void for_runs(const ConvShape& s, Index begin, Index end, const F& f) {
  Index col = 0;
  for (Index i = begin; i < end; ++i)
    for (Index j = 0; j < s.OW; ++j)
      for (Index a = 0; a < s.kh; ++a) {
        const Index h = i * s.sh - s.ph + a * s.dh, left = j * s.sw - s.pw;
        for (Index b = 0; b < s.kw;) {
          const Index v = left + b * s.dw;
          const bool inside = h >= 0 && h < s.H && v >= 0 && v < s.W;
          const Index run = inside && s.dw == 1 ? std::min(s.kw - b, s.W - v) : 1;
          f(col, inside ? (h * s.W + v) * s.C : -1, run * s.C);
          col += run * s.C;
          b += run;
        }
      }
}

void unfold(const ConvShape& s, const real* x, Index begin, Index end, real* col) {
  for_runs(s, begin, end, [&](Index to, Index from, Index n) {
    if (from < 0)
      std::fill_n(col + to, n, real(0));
    else
      std::copy_n(x + from, n, col + to);
  });
}

void fold(const ConvShape& s, const real* col, Index begin, Index end, real* x) {
  for_runs(s, begin, end, [&](Index from, Index to, Index n) {
    if (to < 0) return;
    DALE_INDEPENDENT for (Index c = 0; c < n; ++c) x[to + c] += col[from + c];
  });
}

/// Windows of one pixel: the rows of col are the pixels of x.
bool pointwise(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.sh == 1 && s.sw == 1 && s.ph == 0 && s.pw == 0;
}

/// With steps of 1 the trilinear form stays the same when x and y change places and the taps are turned by
/// half: then ∂T/∂y is ∂T/∂x of the mirrored shape, and so on. It is done where y has fewer channels than
/// x, because then windows, which are kh·kw times as large as their image, are made of y.
bool mirrors(const ConvShape& s) {
  return s.sh == 1 && s.sw == 1 && s.O < s.C && s.ph <= (s.kh - 1) * s.dh && s.pw <= (s.kw - 1) * s.dw &&
         !pointwise(s);
}
ConvShape mirrored(const ConvShape& s) {
  ConvShape m{s.N, s.O, s.OH, s.OW, s.C, s.kh, s.kw, s.H, s.W, 1, 1, 0, 0, s.dh, s.dw};
  m.ph = (s.kh - 1) * s.dh - s.ph;
  m.pw = (s.kw - 1) * s.dw - s.pw;
  return m;
}
/// to (B,A,kh,kw) = from (A,B,kh,kw), turned by half.
void turn(Index A, Index B, Index taps, const real* from, real* to) {
  for (Index a = 0; a < A; ++a)
    for (Index b = 0; b < B; ++b)
      for (Index tap = 0; tap < taps; ++tap) to[(b * A + a) * taps + taps - 1 - tap] = *from++;
}
/// The taps of the mirrored shape.
class Mirror : public Scratch {
 public:
  Mirror(const ConvShape& s, In w) : Scratch(std::ssize(w)) { turn(s.O, s.C, s.kh * s.kw, w.data(), data()); }
};

/// The output in pieces of whole rows, so that col of a piece, which stays in the second-level cache, has
/// about 64 Ki numbers.
struct Pieces {
  Index rows, an_image, count;
  explicit Pieces(const ConvShape& s)
      : rows(std::clamp<Index>(65536 / std::max<Index>(1, s.C * s.kh * s.kw * s.OW), 1,
                               std::max<Index>(1, s.OH))),
        an_image((s.OH + rows - 1) / rows),
        count(s.N * an_image) {}
};

/// Calls f(first pixel in y, number of pixels, col) for piece p, with its windows in col where f reads them.
template <class F>
void with_windows(const ConvShape& s, const Pieces& pieces, Index p, const real* x, const F& f) {
  const Index n = p / pieces.an_image, begin = p % pieces.an_image * pieces.rows;
  const Index end = std::min(s.OH, begin + pieces.rows), pixels = (end - begin) * s.OW;
  const Index first = (n * s.OH + begin) * s.OW;
  if (pointwise(s)) return f(first, pixels, x + first * s.C);
  const Scratch col(pixels * s.C * s.kh * s.kw);
  unfold(s, x + n * s.H * s.W * s.C, begin, end, col.data());
  f(first, pixels, col.data());
}

/// The taps as a right factor: W[(a,b,c), o] = w[o,c,a,b], or its transpose.
class Taps {
 public:
  Taps(const ConvShape& s, In w, bool transposed)
      : K_(s.C * s.kh * s.kw),
        rows_(transposed ? s.O : K_),
        columns_(transposed ? K_ : s.O),
        panels_(rows_ * whole_panels(columns_)) {
    const Index taps = s.kh * s.kw;
    const Scratch by_output(s.O * K_);  // (o, (a,b,c))
    for (Index o = 0, i = 0; o < s.O; ++o)
      for (Index c = 0; c < s.C; ++c)
        for (Index tap = 0; tap < taps; ++tap) by_output.data()[o * K_ + tap * s.C + c] = w[i++];
    pack_panels(rows_, columns_, by_output.data(), transposed ? K_ : 1, transposed ? 1 : K_, 0,
                whole_panels(columns_) / panel_width, panels_.data());
  }
  Right factor() const { return packed(panels_.data(), rows_); }

 private:
  Index K_, rows_, columns_;
  Scratch panels_;
};

/// y[pixel,:] += shift + residual for the pixels [first, first + pixels) of y.
void add_to(const ConvShape& s, In shift, In residual, Index first, Index pixels, real* y) {
  const Index L = s.OH * s.OW, per_image = static_cast<Index>(shift.size()) == s.O ? 0 : s.O;
  for (Index pixel = first; pixel < first + pixels; ++pixel) {
    real* out = y + pixel * s.O;
    if (!shift.empty())
      for (Index o = 0; o < s.O; ++o) out[o] += shift[pixel / L * per_image + o];
    if (!residual.empty())
      for (Index o = 0; o < s.O; ++o) out[o] += residual[pixel * s.O + o];
  }
}

}  // namespace

void conv2d(const ConvShape& s, In x, In w, In shift, In residual, Out y) {
  if (winograd::pays(s)) return winograd::conv2d(s, x, w, shift, residual, y);
  const Index K = s.C * s.kh * s.kw;
  if (y.empty()) return;
  if (mirrors(s)) {
    conv2d_input(mirrored(s), x, Mirror(s, w).span(), y);
    return parallel_ranges(s.N * s.OH * s.OW, [&](Index begin, Index end) {
      add_to(s, shift, residual, begin, end - begin, y.data());
    });
  }
  const Pieces pieces(s);
  const Taps W(s, w, false);
  parallel(pieces.count, [&](Index p) {
    with_windows(s, pieces, p, x.data(), [&](Index first, Index pixels, const real* col) {
      real* out = y.data() + first * s.O;
      Left rows = rows_of(col, K);
      if (pointwise(s)) rows.ahead = rows.tile;
      product(pixels, s.O, K, rows, W.factor(), false, out, s.O);
      add_to(s, shift, residual, first, pixels, y.data());
    });
  });
}

void conv2d_input(const ConvShape& s, In y, In w, Out x) {
  if (winograd::pays(s)) return winograd::conv2d_input(s, y, w, x);
  const Index K = s.C * s.kh * s.kw, L = s.OH * s.OW;
  if (s.O == 0 || L == 0 || K == 0) return fill(x, 0);
  if (mirrors(s)) return conv2d(mirrored(s), y, Mirror(s, w).span(), {}, {}, x);
  const Pieces pieces(s);
  const Taps W(s, w, true);
  parallel(s.N, [&](Index n) {  // windows overlap: an image is one piece
    real* image = x.data() + n * s.H * s.W * s.C;
    const real* upstream = y.data() + n * L * s.O;
    if (pointwise(s)) return product(L, K, s.O, rows_of(upstream, s.O), W.factor(), false, image, K);
    const Scratch col(pieces.rows * s.OW * K);
    std::fill(image, image + s.H * s.W * s.C, real(0));
    for (Index begin = 0; begin < s.OH; begin += pieces.rows) {
      const Index end = std::min(s.OH, begin + pieces.rows);
      product((end - begin) * s.OW, K, s.O, rows_of(upstream + begin * s.OW * s.O, s.O), W.factor(), false,
              col.data(), K);
      fold(s, col.data(), begin, end, image);
    }
  });
}

void conv2d_weight(const ConvShape& s, In x, In y, Out w, Out shift) {
  if (!shift.empty())
    reduce(Reduce::sum, {y.data(), std::ssize(y), {s.O, s.N * s.OH * s.OW}, {1, s.O}}, 1, shift);
  if (winograd::pays(s)) return winograd::conv2d_weight(s, x, y, w);
  const Index K = s.C * s.kh * s.kw, size = K * s.O;
  if (mirrors(s)) {
    const Scratch turned(size);
    conv2d_weight(mirrored(s), y, x, turned.span(), {});
    return turn(s.C, s.O, s.kh * s.kw, turned.data(), w.data());
  }
  const Pieces pieces(s);
  const Index parts = std::min<Index>(16, pieces.count);
  const Scratch sums(parts * size);  // added in order
  constexpr Index terms = 64;        // pixels whose windows stay near while the tiles of the sum pass by
  if (pieces.count == 0) return fill(w, 0);
  parallel(parts, [&](Index part) {
    real* sum = sums.data() + part * size;
    std::fill(sum, sum + size, real(0));
    for (Index p = part * pieces.count / parts; p < (part + 1) * pieces.count / parts; ++p)
      with_windows(s, pieces, p, x.data(), [&](Index first, Index pixels, const real* col) {
        const real* upstream = y.data() + first * s.O;
        const bool serves = s.O % lanes == 0;
        const Scratch copy(serves ? 0 : pixels * whole_panels(s.O));
        if (!serves)
          pack_panels(pixels, s.O, upstream, s.O, 1, 0, whole_panels(s.O) / panel_width, copy.data());
        const Right right = serves ? right_rows(upstream, s.O) : packed(copy.data(), pixels);
        for (Index i = 0; i < pixels; i += terms)
          product(K, s.O, std::min(terms, pixels - i), columns_of(col + i * K, K),
                  {right.data + i * right.row, right.row, right.panel}, true, sum, s.O);
      });
  });
  parallel(K, [&](Index k) {
    real* total = sums.data() + k * s.O;
    for (Index part = 1; part < parts; ++part)
      DALE_INDEPENDENT for (Index o = 0; o < s.O; ++o) total[o] += total[part * size + o];
    for (Index o = 0; o < s.O; ++o) w[(o * s.C + k % s.C) * s.kh * s.kw + k / s.C] = total[o];
  });
}

}  // namespace dale::cpu
