// Graphs at their edges: one that is destroyed while a device still replays it, and kernels whose arguments
// are lists of 5 to 17 KB, kept in a graph.
#include <limits>

#include "tensor/captured.h"
#include "tensor/draw.h"
#include "tensor/verbs.h"
#include "tests/machines.h"

using namespace dale;

namespace {

using Tensors = std::vector<Tensor>;

/// Arrays of as many sizes as a network has, more than a launch holds.
Tensors many(std::uint64_t key, Device device) {
  Tensors all;
  for (std::uint64_t k = 0; k < 300; ++k)
    all.push_back(uniform(Key{key}.split(k), {k == 17 ? 5000 : static_cast<Index>(k % 7)}, 0, device));
  return all;
}

}  // namespace

TEST_CASE("a graph that is destroyed while it is replayed is replayed to its end", "[machines][captured]") {
  ON_EVERY_MACHINE();
  // On a device about a millisecond of work, where destroying takes microseconds.
  const Index n = column(device) == "cuda" ? 1 << 22 : 1000;
  const auto grow = [](const Tensor& y) {
    return [y](const Tensors& in) {
      Tensor sum = y;
      for (int k = 0; k < 50; ++k) raw::binary_into(Binary::add, sum, raw::unary(Unary::sin, in[0]));
      return Tensors{raw::unary(Unary::negate, in[0])};
    };
  };
  const Tensor x = uniform(Key{1}, {n}, 0, device), y = Tensor::full({n}, 1, device), expected = y.clone();
  for (int repeat = 0; repeat < 3; ++repeat) {
    {
      Captured captured(grow(y));
      for (int call = 0; call < 3; ++call) captured({x});
    }
    // What was the graph's memory may be somebody else's now, of later kernels.
    for (int k = 0; k < 4; ++k) Tensor::full({n}, std::numeric_limits<real>::quiet_NaN(), device);
    for (int call = 0; call < 3; ++call) grow(expected)({x});
    CHECK(y.to_vector() == expected.to_vector());
  }
}

TEST_CASE("a graph keeps the lists of arrays that norms, Adam and averages are given",
          "[machines][captured]") {
  ON_EVERY_MACHINE();
  const Tensors g = many(1, device);
  std::vector<Tensors> ends;
  for (bool capture : {false, true}) {
    const Tensors m = many(2, device), v = many(3, device), w = many(4, device), a = many(5, device);
    const Captured::Function step = [&](const Tensors& in) {
      std::vector<AdamArrays> parameters;
      std::vector<LerpArrays> averages;
      for (std::size_t k = 0; k < g.size(); ++k) {
        parameters.push_back({g[k].cspan(), m[k].span(), v[k].span(), w[k].span()});
        averages.push_back({w[k].cspan(), a[k].span()});
      }
      kernels(device).adam(in[0].cspan(), parameters);
      kernels(device).lerp(in[1].cspan(), averages);
      return Tensors{raw::squared_norms(w)};
    };
    Captured captured(step);
    Tensors norms;
    for (int call = 0; call < 3; ++call) {
      const real rate = static_cast<real>(0.01 * (call + 1));
      const Tensors in{Tensor({adam_settings}, {rate, 0.9, 0.99, 1e-8, 0.1, 2, 3, 0.5}, device),
                       Tensor({1}, {rate}, device)};
      norms.push_back((capture ? captured(in) : step(in))[0].clone());
    }
    ends.push_back(norms);
    for (const Tensors* all : {&m, &v, &w, &a})
      ends.back().insert(ends.back().end(), all->begin(), all->end());
  }
  for (std::size_t k = 0; k < ends[0].size(); ++k) CHECK(ends[0][k].to_vector() == ends[1][k].to_vector());
}
