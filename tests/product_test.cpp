// Matrix products, and the convolutions made of them, have the bits of formula (1) of tensor/cpu/product.h:
// written out here term by term, for factors that lie in every way that kernels.h allows.
#include <cmath>

#include "tensor/cpu/level.h"
#include "tensor/draw.h"
#include "tensor/verbs.h"
#include "tests/catch.h"

using namespace dale;

namespace {

constexpr Index part = 256;  // terms, of a sum that starts at 0

/// y[b,m,n] by (1), from elements a(b,m,k) and b(b,k,n).
template <class A, class B>
std::vector<real> by_formula(Index batches, Index M, Index N, Index K, const A& a, const B& b) {
  const bool fused = cpu::level() != "v2";
  std::vector<real> y;
  for (Index i = 0; i < batches * M * N; ++i) {
    const Index batch = i / (M * N), m = i / N % M, n = i % N;
    real total = 0;
    for (Index first = 0; first < K; first += part) {
      real sum = 0;
      for (Index k = first; k < std::min(K, first + part); ++k)
        sum = fused ? std::fma(a(batch, m, k), b(batch, k, n), sum) : a(batch, m, k) * b(batch, k, n) + sum;
      total = first == 0 ? sum : total + sum;
    }
    y.push_back(total);
  }
  return y;
}

}  // namespace

TEST_CASE("a product's bits are those of its formula, however its factors lie", "[ops][product]") {
  if (cpu::products_by_openblas()) return;  // whose bits are its own
  const Shape shapes[] = {{1, 1, 1, 1},     {2, 7, 5, 3},     {1, 13, 17, 300},
                          {3, 8, 16, 512},  {1, 50, 33, 257}, {2, 97, 70, 40},
                          {1, 3, 1100, 20}, {1, 200, 1, 600}};  // B, M, N, K
  for (const Shape& s : shapes)
    for (bool left_transposed : {false, true})
      for (bool right_transposed : {false, true})
        for (bool repeated : {false, true}) {
          const Index B = s[0], M = s[1], N = s[2], K = s[3];
          INFO(fmt::format("{} products {}x{}x{}, left transposed {}, right transposed {}, right repeated {}",
                           B, M, K, N, left_transposed, right_transposed, repeated));
          const auto drawn = [](Key key, Index batches, Index rows, Index columns, bool transposed) {
            if (!transposed) return normal(key, {batches, rows, columns});
            return normal(key, {batches, columns, rows}).permute({0, 2, 1});
          };
          const Tensor a = drawn(Key{1}, B, M, K, left_transposed);
          Tensor b = drawn(Key{2}, repeated ? 1 : B, K, N, right_transposed);
          if (repeated) b = b.broadcast_to({B, K, N});
          const std::vector<real> left = a.to_vector(), right = b.to_vector();
          const auto expected = by_formula(
              B, M, N, K, [&](Index i, Index m, Index k) { return left[(i * M + m) * K + k]; },
              [&](Index i, Index k, Index n) { return right[(i * K + k) * N + n]; });
          CHECK(raw::matmul(a, b).to_vector() == expected);
        }
}

TEST_CASE("a convolution of windows has the bits of its product", "[ops][product]") {
  // Taps of 2×2 in steps of 2 on 6×8 pixels, 70 channels to 3: windows do not overlap, 280 terms in the order
  // (tap, c).
  const ConvShape s{2, 70, 6, 8, 3, 2, 2, 3, 4, 2, 2, 0, 0, 1, 1};
  const Tensor x = normal(Key{1}, {s.N, s.H, s.W, s.C}), w = normal(Key{2}, {s.O, s.C, s.kh, s.kw});
  const std::vector<real> image = x.to_vector(), taps = w.to_vector();
  const Index pixels = s.OH * s.OW, K = s.C * 4;
  const auto expected = by_formula(
      s.N, pixels, s.O, K,
      [&](Index n, Index pixel, Index k) {
        const Index h = pixel / s.OW * 2 + k / s.C / 2, v = pixel % s.OW * 2 + k / s.C % 2;
        return image[((n * s.H + h) * s.W + v) * s.C + k % s.C];
      },
      [&](Index, Index k, Index o) { return taps[(o * s.C + k % s.C) * 4 + k / s.C]; });
  Tensor y({s.N, s.OH, s.OW, s.O});
  kernels(Device::cpu).conv2d(s, x.cspan(), w.cspan(), {}, {}, y.span());
  CHECK(y.to_vector() == expected);
}
