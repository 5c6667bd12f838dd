// Captured functions on every machine: what was recorded does what the plain function does, whatever happens
// to memory in between; and graphs at their edges: one that is destroyed while a device still replays it, and
// kernels whose arguments are lists of 5 to 17 KB.
#include "tensor/captured.h"

#include "diffusion/denoiser.h"
#include "tests/steps.h"

using namespace dale;

namespace {

/// A function with temporaries, a reduction, a product and two results.
Tensors several_ops(const Tensors& in) {
  const NoGrad off;
  const Var x = in[0], y = in[1];
  const Var z = matmul(exp(0.1 * x), y) + sum(x, {1}, true);
  return {(z * z - 1).value(), sum(z).value()};
}

}  // namespace

TEST_CASE("a captured function is the function, for other inputs, layouts and shapes",
          "[machines][captured]") {
  ON_EVERY_MACHINE();
  Captured captured(several_ops);
  std::vector<const real*> places;
  for (std::uint64_t n = 0; n < 5; ++n) {
    const Tensors in{random(n, {4, 6}, device), random(10 + n, {6, 3}, device)};
    const Tensors out = captured(in);
    CHECK(values(out) == values(several_ops(in)));
    places.push_back(out[0].data());
    disturb(device);
  }
  if (device == Device::cuda) CHECK((places[1] == places[2] && places[1] == places[4]));  // they stay put
  for (std::uint64_t n = 0; n < 3; ++n) {
    const Tensors strided{random(n, {6, 4}, device).permute({1, 0}),
                          random(n, {6, 8}, device).slice(1, 0, 8, 2)};
    CHECK(values(captured(strided)) == values(several_ops(strided)));
  }
  for (std::uint64_t n = 0; n < 18; ++n) {  // more shapes than are kept
    const Index rows = static_cast<Index>(n % 6);
    const Tensors in{random(n, {rows, 6}, device), random(n, {6, 3}, device)};
    CHECK(values(captured(in)) == values(several_ops(in)));
  }
}

TEST_CASE("a graph keeps its memory to itself until it goes", "[machines][captured]") {
  ON_EVERY_MACHINE();
  const std::size_t before = memory_use(device).live;
  {
    Captured captured([](const Tensors& in) {
      const NoGrad off;
      const Var x = in[0];
      return Tensors{(exp(x) + cos(x) * sin(x)).value()};
    });
    const Tensor x = random(1, {1000}, device);
    std::size_t live = 0;
    for (int n = 0; n < 6; ++n) {
      captured({x});
      if (n == 1) live = memory_use(device).live;
    }
    CHECK(memory_use(device).live == live);
    // x, a copy of it, the result, and at least one block between them, on CUDA.
    if (device == Device::cuda) CHECK(live >= before + 4 * 1000 * sizeof(real));
  }
  CHECK(memory_use(device).live == before);
}

TEST_CASE("what cannot be captured says so, and a later call may", "[machines][captured][errors]") {
  ON_EVERY_MACHINE();
  if (device == Device::cpu) return;
  bool reads = true;
  Captured captured([&](const Tensors& in) {
    const Tensor y = raw::unary(Unary::exp, in[0]);
    if (reads) y.to_vector();
    return Tensors{y};
  });
  const Tensor x = random(1, {5}, device);
  captured({x});
  REFUSES(captured({x}), "a captured function copies to the host");
  reads = false;
  for (int n = 0; n < 3; ++n) CHECK(captured({x})[0].to_vector() == raw::unary(Unary::exp, x).to_vector());
  Captured uploads([](const Tensors& in) {
    return Tensors{raw::binary(Binary::add, in[0], Tensor({2}, {1, 2}, in[0].device()))};
  });
  uploads({random(1, {2}, device)});
  REFUSES(uploads({random(1, {2}, device)}), "a captured function copies from the host");
}

TEST_CASE("memory that is not there: the size, and what is in use", "[machines][errors]") {
  ON_EVERY_MACHINE();
  const Tensor some({100}, device);
  CHECK_THROWS_WITH(Tensor({Index{1} << 48}, device),
                    Contains(fmt::format("out of {} memory: asked for ", str(device))) &&
                        Contains("are in use") && Contains("at the peak"));
  CHECK(Tensor::full({3}, 2, device).to_vector() == Values{2, 2, 2});
}

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

TEST_CASE(
    "norms, Adam and averages of more arrays than a launch holds: a graph keeps the lists, and every machine "
    "does as the CPU",
    "[machines]") {
  const auto ends = [](Device device, bool capture) {
    const auto many = [&](std::uint64_t key) {  // arrays of as many sizes as a network has
      Tensors all;
      for (std::uint64_t k = 0; k < 300; ++k)
        all.push_back(uniform(Key{key}.split(k), {k == 17 ? 5000 : static_cast<Index>(k % 7)}, 0, device));
      return all;
    };
    const Tensors g = many(1), m = many(2), v = many(3), w = many(4), a = many(5);
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
    Tensors made;
    for (int call = 0; call < 3; ++call) {
      const real rate = static_cast<real>(0.01 * (call + 1));
      const Tensors in{Tensor({adam_settings}, {rate, 0.9, 0.99, 1e-8, 0.1, 2, 3, 0.5}, device),
                       Tensor({1}, {rate}, device)};
      made.push_back((capture ? captured(in) : step(in))[0].clone());
    }
    for (const Tensors* all : {&m, &v, &w, &a}) made.insert(made.end(), all->begin(), all->end());
    return made;
  };
  ON_EVERY_MACHINE();
  const Tensors plain = ends(device, false), on_cpu = ends(Device::cpu, false);
  CHECK(values(ends(device, true)) == values(plain));
  for (std::size_t k = 0; k < plain.size(); ++k)
    CHECK(gap(plain[k], on_cpu[k]) <= 1e-5 * largest(numbers(on_cpu[k]), 1));
}

TEST_CASE("a captured network is the network, and steps aside for gradients", "[machines][captured]") {
  ON_EVERY_MACHINE();
  const Var w = parameter(random(3, {4, 4}, device));
  const Network plain = [w](const Var& x, const Var& t) { return matmul(x, w) * reshape(t, {x.dim(0), 1}); };
  const Network quick = captured(plain);
  Tensors kept;
  for (std::uint64_t n = 0; n < 4; ++n) {
    const Var x = random(n, {2, 4}, device), t = random(n, {2}, device);
    const NoGrad off;
    const Var F = quick(x, t);
    CHECK(values(F) == values(plain(x, t)));
    kept.push_back(F.value());
    for (const Tensor& before : kept) CHECK((&before == &kept.back() || before.data() != F.value().data()));
  }
  const Var x = random(9, {2, 4}, device), t = random(9, {2}, device);
  CHECK(values(grad(sum(quick(x, t)), {w})[0]) == values(grad(sum(plain(x, t)), {w})[0]));
}
