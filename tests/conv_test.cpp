// Convolution on the CPU, fast or plain, against its formula: how far each rounds. Every machine's rungs of
// it give the CPU's values. And matrix products, and the convolutions made of them, have the bits of (I.5)
// in tensor/cpu/product.h: written out here term by term, for factors that lie in every way that
// kernels.h allows.
#include "tensor/conv_plain.h"
#include "tensor/cpu/level.h"
#include "tensor/draw.h"
#include "tensor/verbs.h"
#include "tests/compare.h"
#include "tests/machines.h"

using namespace dale;

namespace {

/// √(Σ (a − exact)² / Σ exact²)
double distance(const std::vector<real>& a, const std::vector<long double>& exact) {
  long double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double d = static_cast<long double>(a[i]) - exact[i];
    error += d * d;
    size += exact[i] * exact[i];
  }
  return static_cast<double>(std::sqrt(error / size));
}

/// Small multiples of 1/8: TF32 has them, and sums of their products are exact in float.
Tensor eighths(Key key, const Shape& shape) {
  std::vector<real> v;
  for (std::int32_t i : integers(key, shape, -16, 17).to_vector()) v.push_back(static_cast<real>(i) / 8);
  return Tensor(shape, v);
}
Tensor normals(Key key, const Shape& shape) { return normal(key, shape); }

/// What a convolution and its derivatives read: x, w, y, and a shift for each image and channel.
struct Given {
  Tensor x, w, y, shift;

  Given(const ConvShape& s, Tensor (*draw)(Key, const Shape&))
      : x(draw(Key{1}, {s.N, s.H, s.W, s.C})),
        w(draw(Key{2}, {s.O, s.C, s.kh, s.kw})),
        y(draw(Key{3}, {s.N, s.OH, s.OW, s.O})),
        shift(draw(Key{4}, {s.N, s.O})) {}
};

/// ∂T/∂y with everything that it adds, and unless that is asked for alone ∂T/∂x, ∂T/∂w and Σ y, made on
/// `device`.
std::vector<Tensor> derivatives(const ConvShape& s, const Given& of, Device device, bool alone = false) {
  const Kernels& k = kernels(device);
  const Tensor x = of.x.to(device), w = of.w.to(device), y = of.y.to(device), shift = of.shift.to(device);
  Tensor ry(y.shape(), device), rx(x.shape(), device), rw(w.shape(), device), rshift({s.O}, device);
  k.conv2d(s, x.cspan(), w.cspan(), shift.cspan(), y.cspan(), ry.span());
  if (alone) return {ry.to(Device::cpu)};
  k.conv2d_input(s, y.cspan(), w.cspan(), rx.span());
  k.conv2d_weight(s, x.cspan(), y.cspan(), rw.span(), rshift.span());
  return {ry.to(Device::cpu), rx.to(Device::cpu), rw.to(Device::cpu), rshift.to(Device::cpu)};
}

/// The first three of them, term by term in sums of type T.
template <class T> std::array<std::vector<T>, 3> term_by_term(const ConvShape& s, const Given& of) {
  const auto x = of.x.cspan(), w = of.w.cspan(), y = of.y.cspan(), shift = of.shift.cspan();
  std::array<std::vector<T>, 3> made;
  for (Index e = 0; e < of.y.size(); ++e) made[0].push_back(plain::conv2d<T>(s, x, w, shift, y, e));
  for (Index e = 0; e < of.x.size(); ++e) made[1].push_back(plain::conv2d_input<T>(s, y, w, e));
  for (Index e = 0; e < of.w.size(); ++e) made[2].push_back(plain::conv2d_weight<T>(s, x, y, e));
  return made;
}

constexpr std::pair<CudaProducts, const char*> rungs[] = {{CudaProducts::plain, "plain"},
                                                          {CudaProducts::lanes, "lanes"},
                                                          {CudaProducts::full, "full"},
                                                          {CudaProducts::tf32, "tf32"}};

/// Shapes that fill several tiles of each kind, and some of no tile's size.
const ConvShape of_tiles[] = {
    {3, 32, 12, 12, 32, 3, 3, 12, 12, 1, 1, 1, 1, 1, 1}, {2, 5, 9, 7, 70, 3, 3, 5, 4, 2, 2, 1, 1, 1, 1},
    {1, 72, 8, 8, 66, 1, 1, 8, 8, 1, 1, 0, 0, 1, 1},     {1, 1, 11, 10, 3, 4, 2, 8, 10, 1, 1, 0, 1, 1, 2},
    {5, 4, 16, 16, 36, 3, 3, 8, 8, 2, 2, 1, 1, 1, 1},    {2, 68, 6, 6, 1, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1},
    {1, 8, 9, 5, 8, 3, 3, 7, 7, 1, 1, 0, 2, 1, 1},       {2, 2, 7, 8, 3, 3, 3, 4, 4, 2, 2, 1, 1, 1, 1},
    {1, 2, 9, 8, 2, 3, 3, 9, 8, 1, 1, 2, 2, 2, 2},       {2, 2, 5, 9, 2, 2, 4, 2, 7, 2, 1, 0, 2, 1, 2},
    {1, 1, 2, 2, 1, 2, 2, 3, 3, 3, 3, 3, 3, 1, 1},       {2, 5, 4, 3, 3, 1, 1, 4, 3, 1, 1, 0, 0, 1, 1}};

constexpr Index part = 256;  // terms, of a sum that starts at 0

/// a (B,M,K) times b (B,K,N), by (I.5).
std::vector<real> by_formula(const Tensor& a, const Tensor& b) {
  const bool fused = cpu::fused();
  const std::vector<real> left = a.to_vector(), right = b.to_vector();
  const Index M = a.dim(1), K = a.dim(2), N = b.dim(2);
  std::vector<real> y;
  for (Index i = 0; i < a.dim(0) * M * N; ++i) {
    const Index batch = i / (M * N), row = i / N, n = i % N;
    real total = 0;
    for (Index first = 0; first < K; first += part) {
      real sum = 0;
      for (Index k = first; k < std::min(K, first + part); ++k) {
        const real ak = left[row * K + k], bk = right[(batch * K + k) * N + n];
        sum = fused ? std::fma(ak, bk, sum) : ak * bk + sum;
      }
      total = first == 0 ? sum : total + sum;
    }
    y.push_back(total);
  }
  return y;
}

/// Matrices that lie by rows, by columns, by rows with gaps between, and all of whose rows are one.
Tensor drawn(int way, Key key, Index batches, Index rows, Index columns) {
  if (way == 1) return normal(key, {batches, columns, rows}).permute({0, 2, 1});
  if (way == 2) return normal(key, {batches, rows, 2 * columns}).slice(2, 0, columns);
  if (way == 3) return normal(key, {batches, 1, columns}).broadcast_to({batches, rows, columns});
  return normal(key, {batches, rows, columns});
}

}  // namespace

TEST_CASE("fast convolution is the plain one, to rounding", "[conv]") {
  // Channels in and out, pixels, taps, stride, padding, and whether the sums are short.
  const Index cases[][7] = {{32, 32, 28, 3, 1, 1, 0}, {96, 32, 12, 3, 1, 1, 0}, {64, 64, 7, 3, 1, 1, 0},
                            {8, 16, 4, 3, 1, 1, 1},   {8, 24, 5, 3, 1, 0, 1},   {20, 9, 3, 3, 1, 2, 1},
                            {32, 32, 9, 3, 2, 1, 0},  {40, 16, 8, 1, 1, 0, 0},  {1, 32, 28, 3, 1, 1, 0},
                            {32, 1, 28, 3, 1, 1, 0},  {12, 5, 7, 3, 1, 2, 1}};
  double worst[2]{};  // of long and short sums
  const auto is_plain = [&](const ConvShape& s, bool of_short) {
    INFO(fmt::format("{} channels of {}x{} pixels to {}, {}x{} taps, stride {}", s.C, s.H, s.W, s.O, s.kh,
                     s.kw, s.sh));
    const Given of(s, normals);
    const auto plain = term_by_term<real>(s, of);
    const auto exact = term_by_term<long double>(s, of);
    const auto fast = derivatives(s, of, Device::cpu);
    for (std::size_t k = 0; k < 3; ++k) {
      INFO("derivative " << k);
      const double of_plain = distance(plain[k], exact[k]), of_fast = distance(fast[k].to_vector(), exact[k]);
      CHECK(of_plain < 8 * static_cast<double>(std::numeric_limits<real>::epsilon()));
      CHECK(of_fast <= (of_short ? rougher_short_sums : rougher_long_sums) * of_plain);
      worst[of_short] = std::max(worst[of_short], of_fast / std::max(of_plain, 1e-300));
    }
  };
  for (const auto& [C, O, size, taps, stride, padding, of_short] : cases) {
    const Index out = (size + 2 * padding - taps) / stride + 1;
    is_plain({2, C, size, size, O, taps, taps, out, out, stride, stride, padding, padding, 1, 1}, of_short);
  }
  for (const ConvShape& s : of_tiles) is_plain(s, true);
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
      kernels(Device::cpu).conv2d_weight(s, {}, {}, w.span(), {});
      CHECK(w.to_vector() == std::vector<real>(static_cast<std::size_t>(w.size())));
    }
}

TEST_CASE("the convolutions' rungs, plain, by lanes and by matrix units, give the CPU's values",
          "[machines]") {
  if (machines().size() == 1) return;
  std::vector<ConvShape> shapes(std::begin(of_tiles), std::end(of_tiles));
  // Images that give each multiprocessor of a large device a block, to 68 channels and 20.
  shapes.push_back({1, 4, 92, 93, 68, 1, 1, 92, 93, 1, 1, 0, 0, 1, 1});
  shapes.push_back({1, 4, 130, 130, 20, 1, 1, 130, 130, 1, 1, 0, 0, 1, 1});
  for (const ConvShape& s : shapes) {
    const Given of(s, eighths);
    const bool alone = s.OH > 90;
    const auto expected = derivatives(s, of, Device::cpu, alone);
    for (const auto& [how, rung] : rungs) {
      INFO(rung << ", " << s.C << " to " << s.O << " channels");
      const Products products(how);
      const auto actual = derivatives(s, of, Device::cuda, alone);
      for (std::size_t k = 0; k < actual.size(); ++k) {
        INFO("derivative " << k);
        // The CPU's Winograd transforms round; a wrong term is 1/64 at least.
        CHECK(gap(expected[k], actual[k]) < 1e-3);
      }
    }
  }
}

TEST_CASE("no rung of the convolutions makes a finite number of one that is not", "[machines]") {
  if (machines().size() == 1) return;
  constexpr real inf = std::numeric_limits<real>::infinity(), largest = std::numeric_limits<real>::max();
  const ConvShape s{1, 8, 3, 3, 8, 1, 1, 3, 3, 1, 1, 0, 0, 1, 1};
  for (const real bad : {inf, -inf, std::numeric_limits<real>::quiet_NaN(), largest})
    for (const auto& [how, rung] : rungs)
      for (const bool of_taps : {false, true}) {
        INFO(rung << ", " << bad << (of_taps ? " in w" : " in x"));
        Tensor x = Tensor::full({1, 3, 3, 8}, 4), w = Tensor::full({8, 8, 1, 1}, 4);
        (of_taps ? w : x).data()[5] = bad;  // of pixel 0, or of output channel 0; the largest times 4 is none
        const Products products(how);
        const Tensor dx = x.to(Device::cuda), dw = w.to(Device::cuda);
        Tensor y({1, 3, 3, 8}, Device::cuda);
        kernels(Device::cuda).conv2d(s, dx.cspan(), dw.cspan(), {}, {}, y.span());
        const std::vector<real> made = y.to_vector();
        for (std::size_t i = 0; i < made.size(); ++i)
          CHECK(std::isfinite(made[i]) == (of_taps ? i % 8 != 0 : i >= 8));
      }
}

TEST_CASE("how far the convolutions' rungs round", "[machines]") {
  if (machines().size() == 1) return;
  // Sums of 576 terms for y and x, of 128 and 578 for w.
  const ConvShape shapes[] = {{2, 64, 8, 8, 64, 3, 3, 8, 8, 1, 1, 1, 1, 1, 1},
                              {2, 40, 17, 17, 8, 1, 1, 17, 17, 1, 1, 0, 0, 1, 1}};
  for (const auto& [how, rung] : rungs) {
    const Products products(how);
    double worst = 0;
    for (const ConvShape& s : shapes) {
      const Given of(s, normals);
      const auto exact = term_by_term<long double>(s, of);
      const auto actual = derivatives(s, of, Device::cuda);
      for (std::size_t k = 0; k < 3; ++k) worst = larger(worst, distance(actual[k].to_vector(), exact[k]));
    }
    const double epsilon = static_cast<double>(std::numeric_limits<real>::epsilon());
    fmt::print("convolution {:<6} on {}: {:.2f} roundings from exact\n", rung, column(Device::cuda),
               worst / epsilon);
    // TF32 rounds factors at 2⁻¹¹, so that sums of normal terms are some 2⁻¹¹ off.
    const bool tf32 = how == CudaProducts::tf32 && sizeof(real) == 4;
    CHECK(worst < (tf32 ? 1.0 / 2048 : 8 * epsilon));
    if (tf32) CHECK(worst > 1.0 / 16384);
  }
}

TEST_CASE("a product's bits are those of its formula, however its factors lie", "[ops][product]") {
  if (cpu::products_by_openblas()) return;  // whose bits are its own
  const Shape shapes[] = {{1, 1, 1, 1},     {2, 7, 5, 3},     {1, 13, 17, 300},
                          {3, 8, 16, 512},  {1, 50, 33, 257}, {2, 97, 70, 40},
                          {1, 3, 1100, 20}, {1, 200, 1, 600}};  // B, M, N, K
  for (const Shape& s : shapes)
    for (int left_way : {0, 1, 2, 3})
      for (int right_way : {0, 1, 2, 3})
        for (bool repeated : {false, true}) {
          const Index B = s[0], M = s[1], N = s[2], K = s[3];
          INFO(fmt::format("{} products {}x{}x{}, left way {}, right way {}, right repeated {}", B, M, K, N,
                           left_way, right_way, repeated));
          const Tensor a = drawn(left_way, Key{1}, B, M, K);
          Tensor b = drawn(right_way, Key{2}, repeated ? 1 : B, K, N);
          if (repeated) b = b.broadcast_to({B, K, N});
          CHECK(raw::matmul(a, b).to_vector() == by_formula(a, b));
        }
}

TEST_CASE("a convolution of windows has the bits of its product", "[ops][product]") {
  // Taps of 2×2 in steps of 2 on 6×8 pixels, 70 channels to 3: windows do not overlap, 280 terms in the order
  // (tap, c).
  const ConvShape s{2, 70, 6, 8, 3, 2, 2, 3, 4, 2, 2, 0, 0, 1, 1};
  const Tensor x = normal(Key{1}, {s.N, s.H, s.W, s.C}), w = normal(Key{2}, {s.O, s.C, s.kh, s.kw});
  const Tensor windows = x.reshape({s.N, s.OH, 2, s.OW, 2, s.C}).permute({0, 1, 3, 2, 4, 5}),
               taps = w.permute({2, 3, 1, 0}).reshape({1, 4 * s.C, s.O});
  Tensor y({s.N, s.OH, s.OW, s.O});
  kernels(Device::cpu).conv2d(s, x.cspan(), w.cspan(), {}, {}, y.span());
  CHECK(y.to_vector() ==
        by_formula(windows.reshape({s.N, s.OH * s.OW, 4 * s.C}), taps.broadcast_to({s.N, 4 * s.C, s.O})));
}
