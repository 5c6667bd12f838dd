// Captured functions on every machine: what was recorded does what the plain function does, whatever happens
// to memory in between.
#include "tensor/captured.h"

#include <numeric>

#include "diffusion/denoiser.h"
#include "nn/layers.h"
#include "nn/optim.h"
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

TEST_CASE("a captured function may write its parameters", "[machines][captured]") {
  ON_EVERY_MACHINE();
  const auto average = [&](const Tensor& a) {
    return [device, a](const Tensors& in) {
      const std::vector<LerpArrays> arrays{{in[0].cspan(), a.span()}};
      kernels(device).lerp(in[1].cspan(), arrays);
      return Tensors{raw::binary(Binary::multiply, a, a)};
    };
  };
  const Tensor a = random(1, {50}, device), b = a.clone();
  Captured captured(average(a));
  for (std::uint64_t n = 0; n < 5; ++n) {
    const Tensors in{random(n, {50}, device), Tensor({1}, {static_cast<real>(n) / 7}, device)};
    const Tensors out = captured(in), plain = average(b)(in);
    CHECK(values(out) == values(plain));
    CHECK(a.to_vector() == b.to_vector());
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

TEST_CASE("Adam, averages and norms of more arrays than a launch holds are each array's formula",
          "[machines]") {
  constexpr std::size_t count = 300;
  const real b1 = 0.9, b2 = 0.99, lr = 0.01, eps = 1e-8, rate = 0.1, c1 = 2, c2 = 3, scale = 0.5;
  ON_EVERY_MACHINE();
  const Tensor settings({adam_settings}, {lr, b1, b2, eps, rate, c1, c2, scale}, device);
  Tensors g, m, v, w, a;
  std::vector<AdamArrays> parameters;
  std::vector<LerpArrays> averages;
  for (std::size_t k = 0; k < count; ++k) {
    const Shape shape{k == 17 ? 5000 : static_cast<Index>(k % 7)};
    for (Tensors* all : {&g, &m, &v, &w, &a})
      all->push_back(uniform(Key{k}.split(static_cast<std::uint64_t>(all - &g)), shape, 0, device));
    parameters.push_back({g[k].cspan(), m[k].span(), v[k].span(), w[k].span()});
    averages.push_back({w[k].cspan(), a[k].span()});
  }
  const Values norms = raw::squared_norms(g).to_vector();
  const auto m0 = values(m), v0 = values(v), w0 = values(w), a0 = values(a), g0 = values(g);
  kernels(device).adam(settings.cspan(), parameters);
  const Tensor t({1}, {0.25}, device);
  kernels(device).lerp(t.cspan(), averages);
  const auto m1 = values(m), v1 = values(v), w1 = values(w), a1 = values(a);
  double worst = 0;
  const auto near = [&](real actual, real expected) { worst = larger(worst, std::abs(actual - expected)); };
  for (std::size_t k = 0; k < count; ++k) {
    CHECK(norms[k] ==
          Approx(std::inner_product(g0[k].begin(), g0[k].end(), g0[k].begin(), 0.0)).epsilon(1e-5));
    for (std::size_t i = 0; i < g0[k].size(); ++i) {
      const real gi = scale * g0[k][i], mi = b1 * m0[k][i] + (1 - b1) * gi,
                 vi = b2 * v0[k][i] + (1 - b2) * gi * gi,
                 wi = w0[k][i] - lr * (mi * c1 / (std::sqrt(vi * c2) + eps) + rate * w0[k][i]);
      near(m1[k][i], mi);
      near(v1[k][i], vi);
      near(w1[k][i], wi);
      near(a1[k][i], a0[k][i] + static_cast<real>(0.25) * (w1[k][i] - a0[k][i]));
    }
  }
  CHECK(worst <= 1e-5);
}

TEST_CASE("training with a captured step is training, bit for bit", "[machines][captured]") {
  ON_EVERY_MACHINE();
  std::vector<std::vector<Values>> ends;
  for (bool capture : {false, true, true}) {
    Mlp net({3, 16, 2}, Key{3});
    const auto all = parameters(net);
    for (const auto& p : all) p.parameter->leaf_value() = p.parameter->value().to(device);
    Adam adam(all);
    Ema average(all, 0.9);
    const Captured::Function step = [&](const Tensors& in) {
      Vars xs;
      for (const auto& p : all) xs.push_back(*p.parameter);
      const Var loss = mean_squared_error(net(Var(in[0])), in[1]);
      const Vars gradients = last_grad(loss, xs);
      Tensors made{loss.value(), squared_norms(gradients)};
      for (const Var& g : gradients) made.push_back(g.value().packed());
      return made;
    };
    Captured captured(step);
    for (std::uint64_t n = 0; n < 6; ++n) {
      const Tensors in{random(n, {7, 3}, device), random(20 + n, {7, 2}, device)};
      const Tensors made = capture ? captured(in) : step(in);
      adam.step({made.begin() + 2, made.end()}, 0.01);
      average.update();
      disturb(device);
    }
    Tensors state = average.average();
    for (const auto& p : all) state.push_back(p.parameter->value());
    ends.push_back(values(state));
  }
  CHECK((ends[0] == ends[1] && ends[1] == ends[2]));
}

TEST_CASE("a captured network is the network, and steps aside for gradients and Anomaly",
          "[machines][captured]") {
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
  const Anomaly watch;
  const NoGrad off;
  REFUSES(quick(Tensor::full({2, 4}, std::numeric_limits<real>::infinity(), device), t),
          "[matmul] made a value");
}
