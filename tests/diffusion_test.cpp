// Chapter IV against problems with exact answers: statistics with fixed keys, bounds of four standard errors.
#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/gradcheck.h"
#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "diffusion/sampler.h"
#include "tensor/cpu/parallel.h"

using namespace dale;
using Catch::Contains;

namespace {

struct Moments {
  double mean, variance;
  Index n;
};

Moments moments(const Tensor& y) {
  const std::vector<real> v = y.to_vector();
  double mean = 0, variance = 0;
  for (real x : v) mean += static_cast<double>(x) / static_cast<double>(v.size());
  for (real x : v) variance += std::pow(static_cast<double>(x) - mean, 2) / static_cast<double>(v.size());
  return {mean, variance, static_cast<Index>(v.size())};
}

/// Both moments of a normal sample within four standard errors.
void check_normal(const Tensor& y, double mean, double variance) {
  const Moments m = moments(y);
  const double n = static_cast<double>(m.n);
  CHECK(std::abs(m.mean - mean) < 4 * std::sqrt(variance / n));
  CHECK(std::abs(m.variance - variance) < 4 * variance * std::sqrt(2 / n));
}

const Network zero_network = [](const Var& x, const Var&) { return 0 * x; };

}  // namespace

TEST_CASE("geometric Brownian motion, simulated in x, has the log-normal law of (2)", "[diffusion]") {
  // Milstein's scheme on dX = μX dt + σX dW knows nothing of logarithms.
  const GeometricBrownianMotion gbm{0.8, 0.5, 1};
  const Index n = 40000;
  const int steps = 200;
  const double dt = gbm.T / steps, root = std::sqrt(dt);
  Var x = Tensor::full({n}, 1.5);
  for (int k = 0; k < steps; ++k) {
    const Var dw = root * Var(normal(Key{3}.split(static_cast<std::uint64_t>(k)), {n}));
    x = x * (1 + gbm.mu * dt + gbm.sigma * dw + 0.5 * gbm.sigma * gbm.sigma * (square(dw) - dt));
  }
  check_normal(log(x).value(), std::log(1.5) + gbm.m(1), gbm.s(1) * gbm.s(1));
  CHECK(GeometricBrownianMotion::driftless(0.8, 1).m(1) == Approx(0).margin(1e-15));
}

TEST_CASE("the forward process adds s Z in its chart", "[diffusion]") {
  for (const std::string& name : process_names()) {
    INFO(name);
    const Process& p = process_named(name);
    const Var x0 = Tensor::full({40000}, 1.7);
    const Var y0 = p.chart(x0);
    CHECK(static_cast<double>(p.unchart(y0).value().to_vector()[0]) == Approx(1.7).epsilon(1e-6));
    const Var y = p.forward(y0, Tensor({}, {0.8}), normal(Key{11}, {40000}));
    check_normal(y.value(), p.multiplicative() ? std::log(1.7) : 1.7, 0.64);
    if (p.multiplicative())
      for (real x : p.unchart(y).value().to_vector()) REQUIRE(x > 0);
  }
}

TEST_CASE("the Hyvärinen score is x ∘ ∇ log p in either chart", "[diffusion]") {
  // p_Y normal with mean a and variance v; log p_X by the change of variables, differentiated by autograd.
  const double a = 0.3, v = 0.5;
  for (const std::string& name : process_names()) {
    INFO(name);
    const Process& p = process_named(name);
    const Var x = parameter(Tensor({4}, {0.5, 1, 1.7, 2.5}));
    const Var y = p.chart(x);
    const Var jacobian = p.multiplicative() ? log(x) : 0 * x;
    const Var log_density = -square(y - a) / (2 * v) - jacobian;
    const Var expected = x * grad(sum(log_density), {x})[0];
    const Var h = p.hyvarinen_score(-(y.detach() - a) / v, y.detach());
    for (int i = 0; i < 4; ++i)
      CHECK(static_cast<double>(h.value().to_vector()[i]) == Approx(static_cast<double>(expected.value().to_vector()[i])).margin(2e-6));
  }
}

TEST_CASE("EDM preconditioning has its constants and its limits", "[diffusion]") {
  const Edm edm{0.4, 0.25};
  CHECK(edm.c_skip(0.25) == Approx(0.5));
  CHECK(edm.c_out(0.25) == Approx(0.25 / std::sqrt(2.0)));
  CHECK(edm.c_in(0.25) == Approx(1 / (0.25 * std::sqrt(2.0))));
  CHECK(edm.c_noise(1) == 0);
  CHECK(edm.p_mean() == Approx(std::log(0.5) - 1.2));
  // With F = 0 and Gaussian data, D is the exact posterior mean: that of LogNormal.
  const Var y = normal(Key{1}, {64, 1, 2, 2});
  const Var D = edm.denoiser(zero_network)(y, 0.3), exact = LogNormal{0.4, 0.0625}.denoiser()(y, 0.3);
  CHECK(moments((D - exact).value()).variance < 1e-12);
  const Edm fitted = Edm::fitted(Tensor({4}, {1, 2, 3, 4}));
  CHECK(fitted.mean == 2.5);
  CHECK(fitted.deviation == Approx(std::sqrt(1.25)));
}

TEST_CASE("the training loss is multiplicative score matching with weight λ s⁴", "[diffusion]") {
  // Rebuild the batch's noise, and compare (6) with (5) image by image for an arbitrary network.
  const Edm edm{0.35, 0.24};
  const Network network = [](const Var& x, const Var& c) { return sin(x) + reshape(c, {c.dim(0), 1, 1, 1}); };
  const Index N = 8;
  const Tensor y0 = (Var(uniform(Key{1}, {N, 1, 4, 4})) * 0.69).value();
  const Key key{77};
  double expected = 0;
  const std::vector<real> xi = normal(key.split(0), {N}).to_vector();
  const Var z = normal(key.split(1), y0.shape());
  for (Index n = 0; n < N; ++n) {
    const double s = std::exp(edm.p_mean() + Edm::p_deviation * static_cast<double>(xi[n]));
    const Var clean = y0.slice(0, n, n + 1), y = process_named("gbm").forward(clean, Tensor({}, {static_cast<real>(s)}), slice(z, 0, n, n + 1));
    const Var u = (edm.denoiser(network)(y, s) - y) / (s * s);
    const Var loss = multiplicative_score_loss(process_named("gbm").hyvarinen_score(u, y), y, clean, Tensor({}, {static_cast<real>(s)}));
    expected += 2 * static_cast<double>(loss.item()) * std::pow(s, 4) / std::pow(edm.c_out(s), 2) / N;
  }
  CHECK(static_cast<double>(denoising_loss(network, edm, y0, key).item()) == Approx(expected).epsilon(1e-4));
  // The second half of a batch is what a batch that starts there sees.
  const double whole = static_cast<double>(denoising_loss(network, edm, y0, key).item());
  const double halves = static_cast<double>((denoising_loss(network, edm, y0.slice(0, 0, 4), key) +
                                             denoising_loss(network, edm, y0.slice(0, 4, 8), key, 4)).item());
  CHECK(halves / 2 == Approx(whole).epsilon(1e-5));
}

TEST_CASE("Dale-Langevin on one log-normal: the moments of its recursion", "[diffusion][sampler]") {
  const LogNormal problem{0.2, 0.05};
  for (const GeometricBrownianMotion gbm : {GeometricBrownianMotion{0.8, 0.32, 1}, GeometricBrownianMotion{0.8, 0.42, 1}}) {
    const Shape shape{200000};
    const double variance = problem.v + gbm.s(1) * gbm.s(1);
    const Var start = normal_prior(shape, problem.a + gbm.m(1), std::sqrt(variance), Key{1});
    for (int steps : {10, 40}) {
      INFO(steps << " steps, mu " << gbm.mu);
      const LogNormal::Moments expected = problem.dale_langevin_moments(gbm, steps);
      check_normal(dale_langevin(problem.score(gbm), start, gbm, steps, Key{2}).value(), expected.mean, expected.variance);
    }
  }
}

TEST_CASE("Dale-Langevin's recursion converges at first order", "[diffusion][sampler]") {
  const LogNormal problem{0.2, 0.05};
  const GeometricBrownianMotion gbm{0.8, 0.42, 1};
  const auto error = [&](int steps) { return std::abs(problem.dale_langevin_moments(gbm, steps).variance - problem.v); };
  for (int steps : {500, 1000, 2000}) CHECK(std::log2(error(steps) / error(2 * steps)) == Approx(1).margin(0.08));
  CHECK(problem.dale_langevin_moments(gbm, 100000).mean == Approx(problem.a).margin(1e-4));
}

TEST_CASE("Heun's rule follows the probability flow at second order", "[diffusion][sampler]") {
  // On one log-normal the flow is known: y(s) = a + (y(s₀) − a) √((v + s²)/(v + s₀²)).
  const LogNormal problem{0.2, 0.05};
  const Var start = normal_prior({200}, 0.2, std::sqrt(0.05 + 9), Key{1});
  const auto error = [&](int steps) {
    std::vector<double> levels = edm_levels(steps, 0.02, 3);
    levels.pop_back();
    const Var y = probability_flow(problem.denoiser(), start, levels);
    const Var exact = 0.2 + (start - 0.2) * std::sqrt((0.05 + 0.0004) / (0.05 + 9));
    return std::sqrt(moments((y - exact).value()).variance);
  };
  CHECK(std::log2(error(9) / error(17)) == Approx(2).margin(0.25));
  CHECK(error(33) < 2e-3);
}

TEST_CASE("the grid of noise levels", "[diffusion][sampler]") {
  const auto levels = edm_levels(10, 0.002, 3);
  CHECK(levels.size() == 11);
  CHECK(levels.front() == 3);
  CHECK(levels[9] == Approx(0.002));
  CHECK(levels.back() == 0);
  CHECK(std::is_sorted(levels.rbegin(), levels.rend()));
  CHECK(edm_levels(1, 0.002, 3) == std::vector<double>{3, 0});
}

TEST_CASE("samples do not depend on the batch or the threads they are made in", "[diffusion][sampler]") {
  const LogNormal problem{0.2, 0.05};
  const GeometricBrownianMotion gbm;
  const auto run = [&](Index first, Index n) {
    const Var start = normal_prior({n, 1, 4, 4}, 0.2, 0.8, Key{1}, static_cast<std::uint64_t>(first));
    return dale_langevin(problem.score(gbm), start, gbm, 7, Key{2}, static_cast<std::uint64_t>(first)).value();
  };
  const std::vector<real> whole = run(0, 6).to_vector();
  CHECK(run(2, 3).to_vector() == std::vector<real>(whole.begin() + 32, whole.begin() + 80));
  set_threads(1);
  CHECK(run(0, 6).to_vector() == whole);
  set_threads(2);
}

TEST_CASE("wild scores neither change a sign nor pass for good", "[diffusion][sampler]") {
  const GeometricBrownianMotion gbm;
  const auto wild = [](const Var& y, double t) { return 500 * sin(1000 * y + t); };
  const Tensor log_x = dale_langevin(wild, normal_prior({10000}, 0, 1, Key{1}), gbm, 100, Key{2}).value();
  CHECK(all_finite(log_x));
  const HyvarinenScore broken = [](const Var& y, double t) { return t < 0.5 ? log(y - y) : y; };
  CHECK_THROWS_WITH(dale_langevin(broken, normal_prior({4}, 0, 1, Key{1}), gbm, 10, Key{2}), Contains("sampling step 7: [log] made a value that is not finite; input shapes (4)"));
  CHECK_THROWS_WITH(probability_flow([](const Var& y, double) { return y / 0; }, normal_prior({4}, 0, 1, Key{1}), {1, 0}), Contains("sampling step 1: [divide]"));
}

TEST_CASE("bad settings are told in one sentence", "[diffusion][errors]") {
  CHECK_THROWS_WITH(process_named("gbn"), Contains("unknown process 'gbn'; did you mean 'gbm'?"));
  CHECK_THROWS_WITH(GeometricBrownianMotion::driftless(0, 1), Contains("needs sigma > 0 and T > 0, not 0 and 1"));
  CHECK_THROWS_WITH(GeometricBrownianMotion::driftless(1, std::nan("")), Contains("needs sigma > 0 and T > 0"));
  CHECK_THROWS_WITH(edm_levels(0, 0.1, 1), Contains("at least 1 step"));
  CHECK_THROWS_WITH(edm_levels(3, 1, 0.1), Contains("0 < s_min < s_max"));
  CHECK_THROWS_WITH(Edm::fitted(Tensor::full({3}, 2)), Contains("it must vary and be finite"));
  CHECK_THROWS_WITH(dale_langevin(LogNormal{0, 1}.score({}), Var(Tensor::full({1}, 0)), {}, 0, Key{1}), Contains("at least 1 step"));
}

TEST_CASE("pixels are embedded in [1, 2] and come back clamped", "[diffusion]") {
  CHECK(embed_pixels(Tensor({2}, {0, 1})).value().to_vector() == std::vector<real>{1, 2});
  CHECK(pixels_of(Tensor({3}, {0.5, 1.25, 9})).value().to_vector() == std::vector<real>{0, 0.25, 1});
}
