// What must be equal on all machines beyond the table of ops: random bits, the rungs of the convolutions.
#include "tests/machines.h"

#include "autograd/ops.h"
#include "tests/compare.h"

using namespace dale;

TEST_CASE("random numbers are the same bits on every machine", "[machines]") {
  ON_EVERY_MACHINE();
  for (const std::uint64_t first : std::vector<std::uint64_t>{0, 1, 4, 4'294'967'295, 4'294'967'298})
    for (const Index n : {0, 1, 3, 4, 1000}) {
      INFO(n << " from " << first);
      CHECK(normal(Key{7}, {n}, first, device).to_vector() == normal(Key{7}, {n}, first).to_vector());
      CHECK(uniform(Key{7}, {n}, first, device).to_vector() == uniform(Key{7}, {n}, first).to_vector());
    }
}

namespace {

/// Small multiples of 1/8: TF32 has them, and sums of their products are exact in float.
Tensor eighths(Key key, const Shape& shape) {
  std::vector<real> v;
  for (std::int32_t i : integers(key, shape, -16, 17).to_vector()) v.push_back(static_cast<real>(i) / 8);
  return Tensor(shape, v);
}

/// Shapes that fill several tiles of each kind, and some of no tile's size.
const ConvShape shapes[] = {
    {3, 32, 12, 12, 32, 3, 3, 12, 12, 1, 1, 1, 1, 1, 1}, {2, 5, 9, 7, 70, 3, 3, 5, 4, 2, 2, 1, 1, 1, 1},
    {1, 72, 8, 8, 66, 1, 1, 8, 8, 1, 1, 0, 0, 1, 1},     {1, 1, 11, 10, 3, 4, 2, 8, 10, 1, 1, 0, 1, 1, 2},
    {5, 4, 16, 16, 36, 3, 3, 8, 8, 2, 2, 1, 1, 1, 1},    {2, 68, 6, 6, 1, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1}};

}  // namespace

TEST_CASE("the convolutions' rungs, plain, tiled and TF32, give the CPU's values", "[machines]") {
  if (machines().size() == 1) return;
  for (const CudaProducts how : {CudaProducts::plain, CudaProducts::full, CudaProducts::tf32})
    for (const ConvShape& s : shapes) {
      INFO("rung " << static_cast<int>(how) << ", " << s.C << " to " << s.O << " channels");
      const auto x = eighths(Key{1}, {s.N, s.H, s.W, s.C}), w = eighths(Key{2}, {s.O, s.C, s.kh, s.kw}),
                 y = eighths(Key{3}, {s.N, s.OH, s.OW, s.O}), shift = eighths(Key{4}, {s.N, s.O});
      const auto on = [&](Device device) {
        const Kernels& k = kernels(device);
        const Tensor dx = x.to(device), dw = w.to(device), dy = y.to(device), dshift = shift.to(device);
        Tensor ry(y.shape(), device), rx(x.shape(), device), rw(w.shape(), device);
        k.conv2d(s, dx.cspan(), dw.cspan(), dshift.cspan(), dy.cspan(), ry.span());
        k.conv2d_input(s, dy.cspan(), dw.cspan(), rx.span());
        k.conv2d_weight(s, dx.cspan(), dy.cspan(), rw.span());
        return Vars{ry, rx, rw};
      };
      cuda_set_products(how);
      const auto expected = on(Device::cpu), actual = on(Device::cuda);
      cuda_set_products(CudaProducts::full);
      for (std::size_t k = 0; k < 3; ++k) {
        INFO("derivative " << k);
        CHECK(gap(expected[k], actual[k]) <
              1e-3);  // the CPU's Winograd transforms round; a wrong term is 1/64 at least
      }
    }
}
