// Chapter IV, the samplers, losses and likelihood on mixtures whose scores are known (diffusion/exact.h).
#include "diffusion/exact.h"
#include "diffusion/likelihood.h"
#include "diffusion/loss.h"
#include "tests/compare.h"

using namespace dale;

namespace {

Tensor column(const Numbers& v) {
  return Tensor({static_cast<Index>(v.size()), 1}, Values(v.begin(), v.end()));
}

/// h of a mixture at the time of a process with m = 0.
HyvarinenScore score(const Mixture& p, const GeometricBrownianMotion& gbm) {
  return score_of(p.denoiser(), gbm);
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
  struct Row {
    bool heun_rule;
    int steps;
    double s_max, distance;
  };
  for (const Row& row : {Row{true, 10, 0.8, 0.0036}, Row{true, 20, 0.8, 0.0009}, Row{true, 10, 3, 0.0072},
                         Row{true, 20, 3, 0.0018}, Row{false, 10, 0.8, 0.0045}, Row{false, 20, 0.8, 0.0007},
                         Row{false, 10, 3, 0.0107}, Row{false, 20, 3, 0.0016}}) {
    INFO((row.heun_rule ? "Heun " : "2M ") << row.steps << " steps, s_max " << row.s_max);
    const Var start = column(p.quantiles(4000, row.s_max));
    const auto levels = edm_levels(row.steps, 0.002, row.s_max);
    const Var y = row.heun_rule ? heun(p.denoiser(), start, levels) : dpm_solver(p.denoiser(), start, levels);
    CHECK(std::abs(wasserstein(numbers(y), truth) - row.distance) <= 0.00005);
  }
}

TEST_CASE("Dale-Langevin reproduces its reference on the narrow mixture", "[diffusion][sampler]") {
  const Mixture p = Mixture::narrow();
  const GeometricBrownianMotion gbm;
  const std::vector<double> truth = p.quantiles(20000, 0);
  const Var start = column(p.quantiles(20000, 0.8));
  for (const auto& [steps, distance] : {std::pair{100, 0.041}, std::pair{1000, 0.0064}}) {
    const Var y = dale_langevin(score(p, gbm), start, gbm, {steps}, Key{5});
    CHECK(wasserstein(numbers(y), truth) == Approx(distance).margin(steps == 100 ? 0.0015 : 0.0010));
  }
}

TEST_CASE("fitted orders of convergence", "[diffusion][sampler]") {
  const Mixture p = Mixture::narrow();
  const std::vector<double> truth = p.quantiles(1000, 0.002);
  const Var start = column(p.quantiles(1000, 3));
  using Solver = Var (*)(const Denoiser&, Var, const std::vector<double>&);
  for (const auto& [solver, order] : {std::pair<Solver, double>{ddim, 1}, {heun, 2}, {dpm_solver, 2}}) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int steps : {16, 32, 64, 128}) {
      auto levels = edm_levels(steps + 1, 0.002, 3);
      levels.pop_back();  // without the step to 0, whose own error hides the order
      const double x = std::log(steps),
                   y = std::log(wasserstein(numbers(solver(p.denoiser(), start, levels)), truth));
      sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    CHECK(-(4 * sxy - sx * sy) / (4 * sxx - sx * sx) == Approx(order).margin(0.15));
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
  near("ancestral", ancestral(p.denoiser(), start(3), levels, Key{5}), 0.02);
  const GeometricBrownianMotion gbm;
  for (double eta : {0.0, 0.5, 1.0})
    near("eta", eta_langevin(score(p, gbm), start(0.8), gbm, eta, 300, Key{6}), 0.02);
  near("unconstrained", unconstrained(score(p, gbm), start(0.8), gbm, {300}, Key{6}).log_x, 0.02);
  const VarianceExploding ve({0.64}, 1);
  const SteinScore stein = [&](const Var& x, double t) {
    return (p.mean(x, ve.marginal(t).s) - x) / std::pow(ve.marginal(t).s, 2);
  };
  near("euler-maruyama", euler_maruyama(ve, stein, start(0.8), 300, Key{6}), 0.02);
  CHECK(gap(tweedie(p.denoiser(), start(3), 3), p.mean(start(3), 3)) == 0);
}

TEST_CASE("eta ties the samplers together", "[diffusion][sampler]") {
  const Mixture p = Mixture::narrow();
  const GeometricBrownianMotion gbm;
  const Var start = column(p.quantiles(100, 0.8));
  CHECK(gap(eta_langevin(score(p, gbm), start, gbm, 1, 50, Key{1}),
            dale_langevin(score(p, gbm), start, gbm, {50}, Key{1})) < 1e-5);
  CHECK(gap(eta_langevin(score(p, gbm), start, gbm, 0, 50, Key{1}),
            eta_langevin(score(p, gbm), start, gbm, 0, 50, Key{2})) == 0);
}

TEST_CASE("the unconstrained sampler is Euler-Maruyama on the reverse process, and meets Dale-Langevin as √δ",
          "[diffusion][sampler]") {
  const LogNormal p{0.2, 0.05};
  const GeometricBrownianMotion gbm({0.64}, {0.42}, 1);
  const Var start = normal_prior({2000}, 0.2 + gbm.marginal(1).m, std::sqrt(0.69), Key{1});
  const SteinScore stein = [&](const Var& x, double t) { return p.score(gbm)(log(x), t) / x; };
  const SignedState in_log = unconstrained(p.score(gbm), start, gbm, {500}, Key{2});
  CHECK(in_log.sign_changes == 0);
  CHECK(gap(in_log.x(), euler_maruyama(gbm, stein, exp(start), 500, Key{2})) < 2e-3);
  // The mean gap, path by path, against the reference 0.0075, 0.0022 at 200 and 2,000 steps.
  for (const auto& [steps, expected] : {std::pair{200, 0.0075}, std::pair{2000, 0.0022}}) {
    const Var a = unconstrained(p.score(gbm), start, gbm, {steps}, Key{3}).log_x,
              b = dale_langevin(p.score(gbm), start, gbm, {steps}, Key{3});
    CHECK(mean(abs(a - b)).item() == Approx(expected).epsilon(0.1));
  }
}

TEST_CASE("a million wild updates change no sign in Dale-Langevin, and are counted in the other",
          "[diffusion][sampler]") {
  const GeometricBrownianMotion gbm;
  const HyvarinenScore wild = [](const Var& y, double t) { return 2000 * sin(1000 * y + 40 * t); };
  const Var start = normal_prior({10000}, 0, 1, Key{1});
  const Var y =
      dale_langevin(wild, start, gbm, {100}, Key{2});  // the state is log x: there is no sign to change
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
  const HyvarinenScore none = [](const Var& y, double) { return 0 * y - 1; };
  const Var y = dale_langevin(none, Var(Tensor::full({100000}, 0)), gbm, {20, 0.01, 3, 0.9}, Key{1});
  double expected = 0;
  for (int k = 0; k < 20; ++k) expected += 3 * 0.01 * 0.64 * std::pow(0.81, k);
  CHECK(variance(y).item() == Approx(expected).epsilon(0.02));
}

TEST_CASE("parameterisations of the exact score are one thing", "[diffusion]") {
  const Mixture p = Mixture::in_dimension(2);
  for (const char* name : {"gbm-paper", "vp"}) {
    const Process& process = process_named(name);
    const std::vector<double> t(5, 0.4);
    const Marginal law = process.marginal(0.4);
    const Var y = 0.3 + 0.2 * Var(normal(Key{1}, {5, 2}));
    const Edm edm{0.35, 0.25};
    const Var D = p.mean((y - law.m) / law.a, law.level()), u = (law.a * D + law.m - y) / (law.s * law.s);
    const Var x = process.unchart(y), h = process.hyvarinen_score(u, y);
    const auto model = [&](Parameterisation meaning, const Var& F) {
      return ScoreModel{&process, edm, meaning, [F](const Var&, const Var&) { return F; }};
    };
    const Var centred = (y - law.m) / law.a - edm.mean;
    const Var F = (D - edm.mean - edm.c_skip(law.level()) * centred) / edm.c_out(law.level());
    for (const auto& [meaning, value] : {std::pair{Parameterisation::denoised, F},
                                         {Parameterisation::noise, -law.s * u},
                                         {Parameterisation::score, u},
                                         {Parameterisation::hyvarinen, h},
                                         {Parameterisation::stein, h / x}}) {
      INFO(name << " " << str(meaning));
      CHECK(parameterisation_named(str(meaning)) == meaning);
      CHECK(gap(model(meaning, value).score(y, t), u) < 1e-4);
      CHECK(gap(model(meaning, value).denoiser()((y - law.m) / law.a, law.level()), D) < 1e-4);
    }
  }
  REFUSES(parameterisation_named("nois"), "did you mean 'noise'?");
}

TEST_CASE("the paper's training loss is twice ours", "[diffusion]") {
  const Process& gbm = process_named("gbm-paper");
  const Network network = [](const Var& x, const Var& t) { return sin(x) - reshape(t, {t.dim(0), 1}); };
  const ScoreModel model{&gbm, {}, Parameterisation::stein, network};
  const std::vector<double> t{0.1, 0.5, 1.0};
  const Tensor y0 = (0.5 * Var(uniform(Key{1}, {3, 4}))).value();
  const Var z = normal(Key{2}, {3, 4}), time = Tensor({3}, {0.1, 0.5, 1});
  const Var s2 = reshape(0.64 * time, {3, 1}), log_x = Var(y0) + sqrt(s2) * z, x = exp(log_x);
  const Var ours = score_matching_loss(model, Weight::paper, y0, t, z);
  const Var theirs = mean(square(s2 * x * network(x, time) + (log_x - Var(y0)) + s2));
  CHECK(theirs.item() == Approx(2 * ours.item()).epsilon(1e-5));
  // The authors' own writing of the last two terms: − μτ + 1.5 σ²τ for − m + s².
  const Var authors = mean(square(s2 * x * network(x, time) + (log_x - Var(y0)) - 0.5 * s2 + 1.5 * s2));
  CHECK(authors.item() == theirs.item());
  // With EDM's weight twice ours is (6) of loss.h, in which c is y_t in the frame, less the mean.
  const Edm edm{0.3, 0.2};
  const ScoreModel denoised{&gbm, edm, Parameterisation::denoised, [](const Var& x, const Var& c) {
                              return sin(x) + reshape(c, {c.dim(0), 1});
                            }};
  double six = 0;
  for (Index n = 0; n < 3; ++n) {
    const double s = gbm.marginal(t[n]).level();
    const Var clean = Var(y0.slice(0, n, n + 1)) - edm.mean, c = clean + s * slice(z, 0, n, n + 1);
    const Var F = denoised.network(edm.c_in(s) * c, Tensor::full({1}, edm.c_noise(s)));
    six += mean_squared_error(F, (clean - edm.c_skip(s) * c) / edm.c_out(s)).item() / 3;
  }
  CHECK(2 * score_matching_loss(denoised, Weight::edm, y0, t, z).item() == Approx(six).epsilon(1e-5));
  REFUSES(score_matching_loss(model, Weight::paper, y0, {0.1}, z),
          "[score_matching_loss] y0 (3,4), z (3,4) and the 1 times");
}

TEST_CASE("explicit, denoising and Hyvärinen's non-negative losses have one gradient", "[diffusion]") {
  // A model with two parameters, H = θ₁ sin y + θ₂ y, at one noise level of a mixture; common random numbers.
  const Mixture p = Mixture::in_dimension(2);
  const GeometricBrownianMotion gbm;
  const double t = 0.3, s = gbm.marginal(t).s;
  const Var theta = parameter(Tensor({2}, {0.7, -0.4}));
  const Field H = [&](const Var& y) { return slice(theta, 0, 0, 1) * sin(y) + slice(theta, 0, 1, 2) * y; };
  std::vector<double> error;
  for (Index n : {1000, 100000}) {
    const Var y0 = p.draw(n, Key{1}), z = normal(Key{2}, {n, 2}), y = y0 + s * z;
    const auto gradient = [&](const Var& loss) { return grad(loss, {theta})[0]; };
    const Var exact =
        gradient(explicit_score_loss(H(y), gbm.hyvarinen_score((p.mean(y, s) - y) / (s * s), y)));
    const Var denoising = gradient(explicit_score_loss(H(y), -1 - z / s));
    const Var hyvarinen = gradient(nonnegative_score_loss(H, y, Trace::exact, Key{3}));
    const Var hutchinson = gradient(nonnegative_score_loss(H, y, Trace::hutchinson, Key{3}));
    error.push_back(larger(gap(exact, denoising), larger(gap(exact, hyvarinen), gap(exact, hutchinson))));
  }
  CHECK(error[1] < 0.02);
  CHECK(error[1] < error[0] / 4);  // 1/√100 = 1/10 on average
}

TEST_CASE("the log-likelihood of mixtures is recovered", "[diffusion][likelihood]") {
  const double s_min = 1e-3, s_max = 20;
  auto levels = edm_levels(400, s_min, s_max);
  levels.pop_back();
  std::reverse(levels.begin(), levels.end());
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
  const Var exact = divergence(f, y, Trace::exact, Key{1}).divergence,
            random = divergence(f, y, Trace::hutchinson, Key{1}).divergence;
  CHECK(mean(random).item() ==
        Approx(mean(exact).item()).margin(4 * std::sqrt(variance(random).item() / 20000)));
  REFUSES(log_likelihood(p.denoiser(), {}, y, {0.5}, Trace::exact, Key{1}), "at least two noise levels");
}

TEST_CASE("bits per dimension against a normal density by hand", "[diffusion][likelihood]") {
  // A model of one broad normal in the chart, far wider than its data. At pixels of ½, x = 1.5 ± 1/512:
  //   bits = 8 − log₂ N(y; y, 0.09) = 8 + log₂(0.3 √2π), and in the log chart p(x) = p(log x)/x: + log₂ 1.5.
  auto levels = edm_levels(200, 1e-3, 10);
  levels.pop_back();
  std::reverse(levels.begin(), levels.end());
  const Tensor pixels = Tensor::full({4, 1, 4, 4}, 0.5);
  for (const bool log_chart : {false, true}) {
    const double y = log_chart ? std::log(1.5) : 1.5;
    const std::vector<double> bits =
        bits_per_dimension(process_named(log_chart ? "gbm" : "ve"), LogNormal{y, 0.09}.denoiser(), {y, 0.3},
                           pixels, levels, Trace::exact, Key{2});
    const double expected =
        8 + std::log2(0.3 * std::sqrt(2 * std::numbers::pi)) + (log_chart ? std::log2(1.5) : 0);
    for (double b : bits) CHECK(b == Approx(expected).margin(0.01));
  }
}
