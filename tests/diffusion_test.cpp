// Chapter IV against problems with exact answers: statistics with fixed keys, bounds of four standard errors.
#include "diffusion/additive.h"
#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "tests/compare.h"

using namespace dale;

namespace {

/// Both moments of a normal sample within four standard errors.
void check_normal(const Var& y, double m, double v) {
  const double n = static_cast<double>(y.size());
  CHECK(std::abs(mean(y).item() - m) < 4 * std::sqrt(v / n));
  CHECK(std::abs(variance(y).item() - v) < 4 * v * std::sqrt(2 / n));
}

const Network zero_network = [](const Var& x, const Var&) { return 0 * x; };

}  // namespace

TEST_CASE("geometric Brownian motion, simulated in x, has the log-normal law of (IV.2)", "[diffusion]") {
  // Milstein's scheme on dX = μX dt + σX dW knows nothing of logarithms.
  const GeometricBrownianMotion gbm({0.64}, {0.5}, 1);
  const Index n = 40000;
  const int steps = 200;
  const double dt = gbm.T() / steps, root = std::sqrt(dt);
  Var x = Tensor::full({n}, 1.5);
  for (int k = 0; k < steps; ++k) {
    const Var dw = root * Var(normal(Key{3}.split(static_cast<std::uint64_t>(k)), {n}));
    x = x * (1 + 0.5 * dt + 0.8 * dw + 0.5 * 0.64 * (square(dw) - dt));
  }
  check_normal(log(x).value(), std::log(1.5) + gbm.marginal(1).m, 0.64);
  CHECK(GeometricBrownianMotion::driftless(0.8, 1).marginal(1).m == Approx(0).margin(1e-15));
}

TEST_CASE("every process: marginals, scores and reversal agree with its SDE", "[diffusion]") {
  for (const std::string& name : process_names()) {
    const Process& p = process_named(name);
    const double t = 0.4 * std::min(p.T(), 2.0);
    const Marginal law = p.marginal(t);
    INFO(name);
    CHECK(p.time_at(law.level()) == Approx(t));
    CHECK(p.marginal(0).a == 1);
    CHECK(p.marginal(0).s == 0);

    // x_t given x₀ is normal in the chart.
    const Var x0 = Tensor::full({40000}, 1.7);
    const Var x = p.sample(x0, t, normal(Key{11}, {40000}));
    const double y0 = p.multiplicative() ? std::log(1.7) : 1.7;
    check_normal(p.chart(x).value(), law.a * y0 + law.m, law.s * law.s);
    if (p.multiplicative())
      for (real v : values(x)) REQUIRE(v > 0);

    // The prior is the law of Y_T for normal data.
    const Prior prior = p.prior(0.4, 0.3);
    const Var start = 0.4 + 0.3 * Var(normal(Key{12}, {40000}));
    const Marginal end = p.marginal(p.T());
    check_normal((end.a * start + end.m + end.s * Var(normal(Key{13}, {40000}))).value(), prior.mean,
                 prior.deviation * prior.deviation);

    // Conditional scores are derivatives of the conditional log-density, by autograd.
    const Var at = parameter(Tensor({3}, {0.6, 1.4, 2.2})), from = Tensor({3}, {1, 1.5, 2});
    const Var y = p.chart(at);
    const Var log_density =
        -square(y - law.a * p.chart(from) - law.m) / (2 * law.s * law.s) - (p.multiplicative() ? y : 0 * y);
    const Var stein = grad(sum(log_density), {at})[0];
    const auto same = [](const Var& a, const Var& b) {
      CHECK(gap(a, b) <= (sizeof(real) == 8 ? 1e-6 : 2e-5) * largest(numbers(b), 0.1));
    };
    same(p.conditional_hyvarinen_score(at.detach(), from, t), at * stein);
    same(p.chart_score(p.hyvarinen_score(y.detach(), y.detach()), y.detach()), y);

    // ∇·(GGᵀ) is the derivative of G² (autograd), and is where multiplicative differs from additive.
    const Var G = p.diffusion(at, t);
    same(p.divergence(at, t), grad(sum(square(G)), {at})[0]);
    CHECK((values(p.divergence(at, t))[0] != 0) == p.multiplicative());

    // The marginal's rates are those of the SDE in the chart: by Itô, d(mean)/dt = f ψ' + ½G²ψ'', d(s²)/dt −
    // 2(a'/a)s² = (Gψ')².
    const double h = 1e-4;
    const Marginal before = p.marginal(t - h), after = p.marginal(t + h);
    const double x1 = 1.7, y1 = p.multiplicative() ? std::log(x1) : x1,
                 slope = p.multiplicative() ? 1 / x1 : 1, bend = p.multiplicative() ? -1 / (x1 * x1) : 0;
    const double f = p.drift(Tensor({1}, {1.7}), t).item(), g = p.diffusion(Tensor({1}, {1.7}), t).item();
    const double growth = (after.a - before.a) / (2 * h) / law.a;
    CHECK(f * slope + 0.5 * g * g * bend ==
          Approx(growth * (y1 - law.m) + (after.m - before.m) / (2 * h)).margin(1e-5));
    CHECK(g * g * slope * slope ==
          Approx((after.s * after.s - before.s * before.s) / (2 * h) - 2 * growth * law.s * law.s)
              .epsilon(1e-4));
  }
}

TEST_CASE("EDM preconditioning has its constants and its limits", "[diffusion]") {
  const Edm edm{0.4, 0.25};
  CHECK(edm.c_skip(0.25) == Approx(0.5));
  CHECK(edm.c_out(0.25) == Approx(0.25 / std::sqrt(2.0)));
  CHECK(edm.c_in(0.25) == Approx(1 / (0.25 * std::sqrt(2.0))));
  CHECK(edm.c_noise(1) == 0);
  CHECK(LevelDistribution{}.level(edm, 0) == Approx(0.5 * std::exp(-1.2)));
  // With F = 0 and Gaussian data, D is the exact posterior mean: that of LogNormal.
  const Var y = normal(Key{1}, {64, 1, 2, 2});
  const Var D = edm.denoiser(zero_network)(y, 0.3), exact = LogNormal{0.4, 0.0625}.denoiser()(y, 0.3);
  CHECK(mean(square(D - exact)).item() < 1e-12);
  const Edm fitted = Edm::fitted(Tensor({4}, {1, 2, 3, 4}));
  CHECK(fitted.mean == 2.5);
  CHECK(fitted.deviation == Approx(std::sqrt(1.25)));
}

TEST_CASE("steps on one log-normal: the variance of their recursion", "[diffusion][sampler]") {
  const LogNormal problem{0.2, 0.05};
  for (const LinearRate rate : {LinearRate{0.64}, LinearRate{0.2, 0.88}}) {
    const GeometricBrownianMotion gbm(rate, {0.42}, 1);
    const Var start = normal_prior({200000}, problem.a, std::sqrt(problem.v + 0.64), Key{1});
    for (int n : {10, 40})
      for (const Steps& steps :
           {uniform_steps(gbm, {n}), uniform_steps(gbm, {n}, 0.5),
            dale_langevin_steps(edm_levels(n, 0.002, 0.8)), ancestral_steps(edm_levels(n, 0.002, 0.8))}) {
        INFO(n << " steps, sigma² " << rate(0));
        check_normal(take_steps(problem.denoiser(), start, steps, Key{2}).value(), problem.a,
                     problem.variance_after(steps));
      }
  }
}

TEST_CASE("Dale-Langevin's recursion converges at first order on either grid", "[diffusion][sampler]") {
  const LogNormal problem{0.2, 0.05};
  const GeometricBrownianMotion gbm({0.64}, {0.42}, 1);
  const auto uniform = [&](int n) { return problem.variance_after(uniform_steps(gbm, {n})) - problem.v; };
  const auto by_level = [&](int n) {
    auto levels = edm_levels(n + 1, 0.002, 3);
    levels.pop_back();
    return problem.variance_after(dale_langevin_steps(levels)) - problem.v - 0.002 * 0.002;
  };
  for (int n : {500, 1000, 2000}) {
    CHECK(std::log2(std::abs(uniform(n) / uniform(2 * n))) == Approx(1).margin(0.08));
    CHECK(std::log2(std::abs(by_level(n) / by_level(2 * n))) == Approx(1).margin(0.08));
  }
}

TEST_CASE("the grid of noise levels", "[diffusion][sampler]") {
  const auto levels = edm_levels(10, 0.002, 3);
  CHECK((levels.size() == 11 && levels.front() == 3 && levels.back() == 0));
  CHECK(levels[9] == Approx(0.002));
  CHECK(std::is_sorted(levels.rbegin(), levels.rend()));
  CHECK(edm_levels(1, 0.002, 3) == std::vector<double>{3, 0});
}

TEST_CASE("bad settings are told in one sentence", "[diffusion][errors]") {
  REFUSES(process_named("gbn"), "unknown process 'gbn'; did you mean 'gbm'?");
  REFUSES(GeometricBrownianMotion::driftless(0, 1), "needs sigma > 0 and T > 0, not 0 and 1");
  REFUSES(GeometricBrownianMotion::driftless(1, std::nan("")), "needs sigma > 0 and T > 0");
  REFUSES(edm_levels(0, 0.1, 1), "at least 1 step");
  REFUSES(edm_levels(3, 1, 0.1), "0 < s_min < s_max");
  REFUSES(Edm::fitted(Tensor::full({3}, 2)), "it must vary and be finite");
  REFUSES(uniform_steps(GeometricBrownianMotion(), {0}), "at least 1 step");
  REFUSES(dale_langevin_steps({1, 2, 0}), "noise levels must fall, and none be below 0: not 1 to 2");
  REFUSES(ddim_steps({1}), "at least two noise levels, not 1");
  REFUSES(GeometricBrownianMotion({-1}, {0}, 1), "gbm-paper needs T > 0 and a variance rate");
  REFUSES(VarianceExploding({1}, 0), "ve needs T > 0");
  REFUSES(VariancePreserving({1}, -1), "vp needs T > 0");
  CHECK(edm_levels(process_named("gbm"), 3, 0.002, 30)[0] == 30);
  CHECK(edm_levels(process_named("gbm-paper"), 3, 0.002, 30)[0] == Approx(0.8));
  REFUSES(paper_constants("cifar"), "unknown data set of the paper 'cifar'");
  const GeometricBrownianMotion gbm;
  REFUSES(uniform_steps(gbm, {5, -1}), "delta ≥ 0, repeats ≥ 1 and anneal > 0");
  REFUSES(uniform_steps(gbm, {5}, -1), "eta is -1");
  REFUSES(dale_langevin_steps({1, 0}, -1), "eta is -1");
  REFUSES(Mixture::narrow().mean(Tensor({3, 2}), 1), "[mixture] y (3,2) must be (N,1)");
  REFUSES(wasserstein({1}, {1, 2}), "one size is needed");
  const ScoreModel model{&gbm, {}, Parameterisation::score, [](const Var& y, const Var&) { return y; }};
  REFUSES(model.score(Tensor({3, 2}), model.schedule({0.1}, Device::cpu)),
          "[score] y (3,2) must have one image for each of the 1 times");
}
