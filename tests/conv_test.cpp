// Convolution on the CPU, fast or plain, against its formula: how far each rounds.
#include <cmath>

#include "tensor/cpu/conv_plain.h"
#include "tensor/draw.h"
#include "tests/catch.h"
#include "tests/rounding.h"

using namespace dale;

namespace {

using Exact = std::vector<long double>;

/// √(Σ (a − exact)² / Σ exact²)
double distance(const Tensor& a, const Exact& exact) {
  const auto v = a.cspan();
  long double error = 0, size = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const long double d = static_cast<long double>(v[i]) - exact[i];
    error += d * d;
    size += exact[i] * exact[i];
  }
  return static_cast<double>(std::sqrt(error / size));
}

}  // namespace

TEST_CASE("fast convolution is the plain one, to rounding", "[conv]") {
  struct Case {
    Index C, O, size, taps, stride, padding;
    double rougher;
  };
  double worst[2]{};  // of long and short sums
  for (const Case& c : {Case{32, 32, 28, 3, 1, 1, rougher_long_sums},
                        {96, 32, 12, 3, 1, 1, rougher_long_sums},
                        {64, 64, 7, 3, 1, 1, rougher_long_sums},
                        {8, 16, 4, 3, 1, 1, rougher_short_sums},
                        {8, 24, 5, 3, 1, 0, rougher_short_sums},
                        {20, 9, 3, 3, 1, 2, rougher_short_sums},
                        {32, 32, 9, 3, 2, 1, rougher_long_sums},
                        {40, 16, 8, 1, 1, 0, rougher_long_sums},
                        {1, 32, 28, 3, 1, 1, rougher_long_sums},
                        {32, 1, 28, 3, 1, 1, rougher_long_sums},
                        {12, 5, 7, 3, 1, 2, rougher_short_sums}}) {
    const Index out = (c.size + 2 * c.padding - c.taps) / c.stride + 1;
    const ConvShape s{2,   c.C,      c.size,   c.size,    c.O,       c.taps, c.taps, out,
                      out, c.stride, c.stride, c.padding, c.padding, 1,      1};
    INFO(fmt::format("{} channels of {} pixels to {}, {} taps, stride {}", c.C, c.size, c.O, c.taps,
                     c.stride));
    const Tensor x = normal(Key{1}, {2, c.size, c.size, c.C}), w = normal(Key{2}, {c.O, c.C, c.taps, c.taps});
    const Tensor y = normal(Key{3}, {2, out, out, c.O}), shift = normal(Key{4}, {2, c.O});
    const auto X = x.cspan(), W = w.cspan(), Y = y.cspan(), S = shift.cspan();
    Exact exact(Y.begin(), Y.end()), exact_x(X.size()), exact_w(W.size());
    for (std::size_t i = 0; i < exact.size(); ++i) exact[i] += S[i / (exact.size() / 2) * c.O + i % c.O];
    cpu::for_terms(s, [&](Index ix, Index iw, Index iy) {
      const long double a = X[ix], b = W[iw], d = Y[iy];
      exact[iy] += a * b;
      exact_x[ix] += b * d;
      exact_w[iw] += a * d;
    });
    const auto compare = [&](const char* what, const Tensor& fast, const Tensor& plain, const Exact& to) {
      INFO(what);
      const double of_plain = distance(plain, to), ratio = distance(fast, to) / of_plain;
      CHECK(of_plain < 8 * static_cast<double>(std::numeric_limits<real>::epsilon()));
      CHECK(ratio < c.rougher);
      double& largest = worst[c.rougher == rougher_short_sums];
      largest = std::max(largest, ratio);
    };
    const Kernels& k = kernels(Device::cpu);
    Tensor fast(y.shape()), plain(y.shape());
    k.conv2d(s, X, W, S, Y, fast.span());
    cpu::conv2d_plain(s, X, W, S, Y, plain.span());
    compare("y", fast, plain, exact);
    Tensor fast_x(x.shape()), plain_x(x.shape());
    k.conv2d_input(s, Y, W, fast_x.span());
    cpu::conv2d_input_plain(s, Y, W, plain_x.span());
    compare("x", fast_x, plain_x, exact_x);
    Tensor fast_w(w.shape()), plain_w(w.shape());
    k.conv2d_weight(s, X, Y, fast_w.span());
    cpu::conv2d_weight_plain(s, X, Y, plain_w.span());
    compare("w", fast_w, plain_w, exact_w);
  }
  fmt::print(
      "convolution rounds at most {:.1f} times as far as plain sums, {:.1f} times as far as short "
      "ones\n",
      worst[0], worst[1]);
}

TEST_CASE("the taps' gradient of no images is 0", "[conv]") {
  for (Index C : {1, 16, 64})
    for (Index O : {1, 16, 64}) {
      INFO(fmt::format("{} channels to {}", C, O));
      const ConvShape s{0, C, 28, 28, O, 3, 3, 28, 28, 1, 1, 1, 1, 1, 1};
      Tensor w = Tensor::full({O, C, 3, 3}, 7);
      kernels(Device::cpu).conv2d_weight(s, {}, {}, w.span());
      CHECK(w.to_vector() == std::vector<real>(static_cast<std::size_t>(w.size())));
    }
}
