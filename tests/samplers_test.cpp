// Chapter IV, the samplers and the likelihood on mixtures whose scores are known (diffusion/exact.h).
#include "diffusion/additive.h"
#include "diffusion/exact.h"
#include "diffusion/likelihood.h"
#include "tests/compare.h"

using namespace dale;

namespace {

Tensor column(const Numbers& v) {
  return Tensor({static_cast<Index>(v.size()), 1}, Values(v.begin(), v.end()));
}

}  // namespace

TEST_CASE("the mixture's denoiser is the gradient of its log-density", "[diffusion]") {
  for (Index d : {1, 2, 8}) {
    const Mixture p = d == 1 ? Mixture::narrow() : Mixture::in_dimension(d);
    const Var y = parameter(normal(Key{1}, {6, d}));
    for (double s : {0.3, 2.0}) {
      const Var u = grad(sum(p.log_density(y, s)), {y})[0];
      CHECK(gap((p.mean(y.detach(), s) - y.detach()) / (s * s), u) < (sizeof(real) == 8 ? 1e-9 : 2e-3));
    }
  }
  const Mixture p = Mixture::in_dimension(2);
  CHECK(sliced_wasserstein(p.draw(20000, Key{1}), p.draw(20000, Key{2}), 8, Key{3}) < 0.006);
  const std::vector<double> q = Mixture::narrow().quantiles(20000, 0);
  CHECK(wasserstein(numbers(Mixture::narrow().draw(20000, Key{1})), q) < 0.006);
}

TEST_CASE("few-step solvers reproduce the reference table", "[diffusion][sampler]") {
  // Noise-free: particles at the quantiles of p_T; Wasserstein-1 to p₀ in log space, rounded as in the
  // reference.
  const Mixture p = Mixture::narrow();
  const std::vector<double> truth = p.quantiles(4000, 0);
  const std::tuple<double, int, double, double> table[] = {
      {0.8, 10, 0.0036, 0.0045}, {0.8, 20, 0.0009, 0.0007}, {3, 10, 0.0072, 0.0107}, {3, 20, 0.0018, 0.0016}};
  for (const auto& [s_max, steps, of_heun, of_2m] : table) {
    INFO(steps << " steps, s_max " << s_max);
    const Var start = column(p.quantiles(4000, s_max));
    const auto levels = edm_levels(steps, 0.002, s_max);
    const Var by_heun = heun(p.denoiser(), start, levels), by_2m = dpm_solver(p.denoiser(), start, levels);
    CHECK(std::abs(wasserstein(numbers(by_heun), truth) - of_heun) <= 0.00005);
    CHECK(std::abs(wasserstein(numbers(by_2m), truth) - of_2m) <= 0.00005);
  }
}

TEST_CASE("Dale-Langevin reproduces its reference on the narrow mixture", "[diffusion][sampler]") {
  // By noise level and on the paper's uniform grid, where a hundred steps are as far as ten of the other.
  const Mixture p = Mixture::narrow();
  const Index n = 200000;
  const std::vector<double> truth = numbers(p.draw(n, Key{1}));
  const std::tuple<double, int, double> table[] = {{0.8, 10, 0.0274},  {0.8, 20, 0.0141}, {0.8, 50, 0.0057},
                                                   {0.8, 200, 0.0026}, {3, 10, 0.0361},   {3, 50, 0.0082}};
  for (const auto& [s_max, count, distance] : table) {
    INFO(count << " steps from " << s_max);
    const Var start = Var(p.draw(n, Key{2})) + s_max * Var(normal(Key{3}, {n, 1}));
    const Steps steps = dale_langevin_steps(edm_levels(count, 0.002, s_max));
    CHECK(wasserstein(numbers(take_steps(p.denoiser(), start, steps, Key{5})), truth) ==
          Approx(distance).margin(0.0013));  // two sets of exact draws are as far apart
  }
  const Var start = column(p.quantiles(20000, 0.8));
  for (const auto& [count, distance] : {std::pair{100, 0.041}, std::pair{1000, 0.0064}}) {
    const Steps steps = uniform_steps(GeometricBrownianMotion(), {count});
    CHECK(wasserstein(numbers(take_steps(p.denoiser(), start, steps, Key{5})), p.quantiles(20000, 0)) ==
          Approx(distance).margin(count == 100 ? 0.0015 : 0.0010));
  }
}

TEST_CASE("what is left of a point's variance after a coarse step of Dale-Langevin", "[diffusion][sampler]") {
  // For a point, with r = s′/s, s′²(r² − 1 + 1/r²); ancestral sampling leaves s′² exactly.
  const LogNormal point{0.2, 0};
  for (double r : {0.5, 0.9}) {
    CHECK(point.variance_after(dale_langevin_steps({1, r})) == Approx(r * r * (r * r - 1 + 1 / (r * r))));
    CHECK(point.variance_after(ancestral_steps({1, r})) == Approx(r * r));
    CHECK(point.variance_after(dale_langevin_steps({1, r, 0})) == 0);
  }
}

TEST_CASE("fitted orders of convergence", "[diffusion][sampler]") {
  const Mixture p = Mixture::narrow();
  const std::vector<double> truth = p.quantiles(1000, 0.002);
  const Var start = column(p.quantiles(1000, 3));
  using Solver = Var (*)(const Denoiser&, Var, const std::vector<double>&);
  for (const auto& [solver, order] : {std::pair<Solver, double>{ddim, 1}, {heun, 2}, {dpm_solver, 2}}) {
    const auto error = [&](int steps) {
      auto levels = edm_levels(steps + 1, 0.002, 3);
      levels.pop_back();  // without the step to 0, whose own error hides the order
      return wasserstein(numbers(solver(p.denoiser(), start, levels)), truth);
    };
    CHECK(std::log2(error(16) / error(128)) / 3 == Approx(order).margin(0.15));
  }
}

TEST_CASE("every sampler ends at the mixture", "[diffusion][sampler]") {
  // In two dimensions, from exact p_T; the bound is a few times the distance between two exact draws (0.003).
  const Mixture p = Mixture::in_dimension(2);
  const Index n = 20000;
  const Tensor truth = p.draw(n, Key{1});
  const auto start = [&](double s) { return Var(p.draw(n, Key{2})) + s * Var(normal(Key{3}, {n, 2})); };
  const auto levels = edm_levels(60, 0.002, 3);
  const auto near = [&](const char* name, const Var& y, double bound) {
    INFO(name);
    CHECK(sliced_wasserstein(y.value(), truth, 8, Key{4}) < bound);
  };
  near("ddim", ddim(p.denoiser(), start(3), levels), 0.015);
  near("stochastic heun", stochastic_heun(p.denoiser(), start(3), levels, {}, Key{5}), 0.012);
  near("ancestral", take_steps(p.denoiser(), start(3), ancestral_steps(levels), Key{5}), 0.02);
  const GeometricBrownianMotion gbm;
  for (double eta : {0.0, 0.5, 1.0})
    near("eta", take_steps(p.denoiser(), start(0.8), uniform_steps(gbm, {300}, eta), Key{6}), 0.02);
  for (double eta : {0.0, 0.5, 1.0}) {
    const Steps steps = dale_langevin_steps(edm_levels(150, 0.002, 3), eta);
    near("eta by level", take_steps(p.denoiser(), start(3), steps, Key{6}), 0.02);
  }
  near("unconstrained", unconstrained(score_of(p.denoiser(), gbm), start(0.8), gbm, {300}, Key{6}).log_x,
       0.02);
  const VarianceExploding ve({0.64}, 1);
  const SteinScore stein = [&](const Var& x, double t) {
    return (p.mean(x, ve.marginal(t).s) - x) / std::pow(ve.marginal(t).s, 2);
  };
  near("euler-maruyama", euler_maruyama(ve, stein, start(0.8), 300, Key{6}), 0.02);
  CHECK(gap(ddim(p.denoiser(), start(3), {3, 0}), p.mean(start(3), 3)) == 0);  // Tweedie's
}

TEST_CASE("Dale-Langevin is the paper's rule, written with h and mu", "[diffusion][sampler]") {
  const Mixture p = Mixture::narrow();
  const GeometricBrownianMotion gbm({0.3, 0.4}, {0.5, -0.2}, 1);  // with m and a σ² that changes
  const Var start = column(p.quantiles(100, gbm.marginal(1).s));
  Var log_x = start + gbm.marginal(1).m;
  for (int k = 0; k < 50; ++k) {
    const double t = 1 - k / 50.0, delta = 0.02, variance = std::pow(gbm.sigma(t), 2);
    const Marginal law = gbm.marginal(t);
    const Var y = log_x - law.m, h = (p.mean(y, law.s) - y) / (law.s * law.s) - 1;
    const double mu = (law.m - gbm.marginal(t - delta).m) / delta + variance / 2;  // the step's mean
    log_x = log_x + delta * variance * h - delta * (mu - 1.5 * variance) +
            std::sqrt(delta * variance) * Var(normal(Key{1}.split(k), log_x.shape()));
  }
  CHECK(gap(take_steps(p.denoiser(), start, uniform_steps(gbm, {50}), Key{1}), log_x) < 1e-5);
  // η = 0 has no noise.
  const Steps flow = dale_langevin_steps(edm_levels(9, 0.01, 1), 0);
  CHECK(gap(take_steps(p.denoiser(), start, flow, Key{1}), take_steps(p.denoiser(), start, flow, Key{2})) ==
        0);
}

TEST_CASE("the unconstrained sampler is Euler-Maruyama on the reverse process, and meets Dale-Langevin as √δ",
          "[diffusion][sampler]") {
  const LogNormal p{0.2, 0.05};
  const GeometricBrownianMotion gbm({0.64}, {0.42}, 1);
  const Var start = normal_prior({2000}, 0.2 + gbm.marginal(1).m, std::sqrt(0.69), Key{1});
  const HyvarinenScore h = [&](const Var& y, double t) {
    const Marginal law = gbm.marginal(t);
    return -1 - (y - (p.a + law.m)) / (p.v + law.s * law.s);
  };
  const SteinScore stein = [&](const Var& x, double t) { return h(log(x), t) / x; };
  const SignedState in_log = unconstrained(h, start, gbm, {500}, Key{2});
  CHECK(in_log.sign_changes == 0);
  CHECK(gap(in_log.x(), euler_maruyama(gbm, stein, exp(start), 500, Key{2})) < 2e-3);
  // The mean gap, path by path, against the reference 0.0075, 0.0022 at 200 and 2,000 steps.
  for (const auto& [steps, expected] : {std::pair{200, 0.0075}, std::pair{2000, 0.0022}}) {
    const Var a = unconstrained(h, start, gbm, {steps}, Key{3}).log_x,
              b = take_steps(p.denoiser(), start - gbm.marginal(1).m, uniform_steps(gbm, {steps}), Key{3});
    CHECK(mean(abs(a - b)).item() == Approx(expected).epsilon(0.1));
  }
}

TEST_CASE("a million wild updates change no sign in Dale-Langevin, and are counted in the other",
          "[diffusion][sampler]") {
  const GeometricBrownianMotion gbm;
  const HyvarinenScore wild = [](const Var& y, double t) { return 2000 * sin(1000 * y + 40 * t); };
  const Var start = normal_prior({10000}, 0, 1, Key{1});
  const Denoiser D = [&](const Var& y, double s) { return y + s * s * (1 + wild(y, gbm.time_at(s))); };
  // The state is log x: there is no sign to change.
  const Var y = take_steps(D, start, uniform_steps(gbm, {100}), Key{2});
  CHECK(all_finite(y.value()));
  CHECK(max(y).item() > 89);    // e⁸⁹ is above float's range
  CHECK(min(y).item() < -104);  // and e⁻¹⁰⁴ below
  const SignedState s = unconstrained(wild, start, gbm, {100}, Key{2});
  CHECK(s.sign_changes > 1000);
  CHECK(min(s.sign).item() == -1);
}

TEST_CASE("the annealed variants follow the table of the paper", "[diffusion][sampler]") {
  const PaperConstants& c = paper_constants("kmnist");
  CHECK(c.dale_langevin.repeats == 3);
  CHECK(c.unconstrained.anneal == 1.0);
  CHECK(paper_constants("mnist").unconstrained.delta == 1.43845e-4);
  // With no score a level adds repeats × δσ² anneal^{2k} of variance.
  const GeometricBrownianMotion gbm;
  const Denoiser none = [](const Var& y, double) { return y; };
  const Steps steps = uniform_steps(gbm, {20, 0.01, 3, 0.9});
  const Var y = take_steps(none, Var(Tensor::full({100000}, 0)), steps, Key{1});
  double expected = 0;
  for (int k = 0; k < 20; ++k) expected += 3 * 0.01 * 0.64 * std::pow(0.81, k);
  CHECK(variance(y).item() == Approx(expected).epsilon(0.02));
}

TEST_CASE("the log-likelihood of mixtures is recovered", "[diffusion][likelihood]") {
  const double s_min = 1e-3, s_max = 20;
  const std::vector<double> falling = edm_levels(400, s_min, s_max);
  const std::vector<double> levels(falling.rbegin() + 1, falling.rend());  // from s_min up
  for (Index d : {1, 2, 8}) {
    const Mixture p = Mixture::in_dimension(d);
    const Tensor y = p.draw(100, Key{1});
    const Tensor drawn = p.draw(20000, Key{2});
    const Edm prior = Edm::fitted(drawn);
    const Tensor estimate = log_likelihood(p.denoiser(), prior, y, levels, Trace::exact, Key{3});
    const Var error = Var(estimate) - p.log_density(y, s_min);
    INFO("d = " << d);
    const double bound = 1e-3 * static_cast<double>(d);
    CHECK(std::abs(mean(error).item()) < bound);
    // One by one they are off by the prior as well, which has one mean m for all dimensions where p has μ: by
    // ⟨μ − m, z⟩/s_max. Of 100 numbers the root mean square is within four errors, 4/√200, of that of all.
    const double off = norm(mean(Var(drawn), {0}) - prior.mean).item() / s_max;
    CHECK(std::sqrt(mean(square(error)).item()) < bound + (1 + 4 / std::sqrt(200)) * off);
  }
  // Hutchinson's estimate is unbiased.
  const Mixture p = Mixture::in_dimension(2);
  const Field f = [&](const Var& y) { return p.mean(y, 0.5); };
  const Var y = broadcast_to(Var(Tensor({1, 2}, {0.3, 0.6})), {20000, 2});
  const Field constant = [](const Var& y) { return Var(Tensor::full(y.shape(), 2)); };
  CHECK(max(abs(divergence(constant, y, Trace::exact, Key{1}).divergence)).item() == 0);
  const Var exact = divergence(f, y, Trace::exact, Key{1}).divergence,
            random = divergence(f, y, Trace::hutchinson, Key{1}).divergence;
  CHECK(mean(random).item() ==
        Approx(mean(exact).item()).margin(4 * std::sqrt(variance(random).item() / 20000)));
  REFUSES(log_likelihood(p.denoiser(), {}, y, {0.5}, Trace::exact, Key{1}), "at least two noise levels");
}

TEST_CASE("bits per dimension against a normal density by hand", "[diffusion][likelihood]") {
  // A model of one broad normal in the chart, far wider than its data. At pixels of ½, x = 1.5 ± 1/512:
  //   bits = 8 − log₂ N(y; y, 0.09) = 8 + log₂(0.3 √2π), and in the log chart p(x) = p(log x)/x: + log₂ 1.5.
  const std::vector<double> falling = edm_levels(200, 1e-3, 10);
  const std::vector<double> levels(falling.rbegin() + 1, falling.rend());
  const Tensor pixels = Tensor::full({4, 1, 4, 4}, 0.5);
  for (const bool log_chart : {false, true}) {
    const double y = log_chart ? std::log(1.5) : 1.5;
    const std::vector<double> bits =
        bits_per_dimension(process_named(log_chart ? "gbm" : "ve"), Embedding{},
                           LogNormal{y, 0.09}.denoiser(), {y, 0.3}, pixels, levels, Trace::exact, Key{2});
    const double expected =
        8 + std::log2(0.3 * std::sqrt(2 * std::numbers::pi)) + (log_chart ? std::log2(1.5) : 0);
    for (double b : bits) CHECK(b == Approx(expected).margin(0.01));
  }
}
