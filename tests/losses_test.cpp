// Chapter IV, losses on problems whose scores are known (diffusion/exact.h), and consistency models where the
// consistency function is.
#include "diffusion/consistency.h"
#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "tests/compare.h"

using namespace dale;

TEST_CASE("the training loss is multiplicative score matching with weight λ s⁴", "[diffusion]") {
  // Rebuild the batch's noise, and compare (IV.13) with (IV.12) image by image for an arbitrary network.
  const Edm edm{0.35, 0.24};
  const Network network = [](const Var& x, const Var& c) { return sin(x) + reshape(c, {c.dim(0), 1, 1, 1}); };
  const Index N = 8;
  const Tensor y0 = (Var(uniform(Key{1}, {N, 1, 4, 4})) * 0.69).value();
  const Key key{77};
  const LevelDistribution law{-0.4, 1};
  double expected = 0;
  const Values xi = normal(key.split(0), {N}).to_vector();
  const Var z = normal(key.split(1), y0.shape());
  for (Index n = 0; n < N; ++n) {
    const double s = law.level(edm, static_cast<double>(xi[n]));
    const Var clean = y0.slice(0, n, n + 1), y = clean + s * slice(z, 0, n, n + 1);
    const Var u = (edm.denoiser(network)(y, s) - y) / (s * s);
    const Var h = process_named("gbm").hyvarinen_score(u, y),
              conditional = process_named("gbm").conditional_hyvarinen_score(exp(y), exp(clean), s);
    const Var loss = 0.5 * mean_squared_error(h, conditional);
    expected += 2 * loss.item() * std::pow(s, 4) / std::pow(edm.c_out(s), 2) / N;
  }
  const auto loss = [&](Index begin, Index end) {
    const Tensor part = y0.slice(0, begin, end);
    const auto first = static_cast<std::uint64_t>(begin);
    return denoising_loss(network, denoising_draws(edm, part, key, law, first)).item();
  };
  CHECK(loss(0, 8) == Approx(expected).epsilon(1e-4));
  // The second half of a batch is what a batch that starts there sees.
  CHECK((loss(0, 4) + loss(4, 8)) / 2 == Approx(loss(0, 8)).epsilon(1e-5));
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
    const Var centred = (y - law.m) / law.a - edm.mean;
    const Var F = (D - edm.mean - edm.c_skip(law.level()) * centred) / edm.c_out(law.level());
    for (const auto& [meaning, value] : {std::pair{Parameterisation::denoised, F},
                                         {Parameterisation::noise, -law.s * u},
                                         {Parameterisation::score, u},
                                         {Parameterisation::hyvarinen, h},
                                         {Parameterisation::stein, h / x}}) {
      INFO(name << " " << str(meaning));
      CHECK(parameterisation_named(str(meaning)) == meaning);
      const Var F_at = value;  // clang 14 captures no structured binding
      const ScoreModel m{&process, edm, meaning, [F_at](const Var&, const Var&) { return F_at; }};
      CHECK(gap(m.score(y, m.schedule(t, Device::cpu)), u) < 1e-4);
      CHECK(gap(m.denoiser()((y - law.m) / law.a, law.level()), D) < 1e-4);
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
  const auto loss = [&](const ScoreModel& of, Weight weight, const std::vector<double>& times) {
    return score_matching_loss(of, score_matching_draws(of, weight, y0, times, z)).item();
  };
  const double ours = loss(model, Weight::paper, t);
  const Var theirs = mean(square(s2 * x * network(x, time) + (log_x - Var(y0)) + s2));
  CHECK(theirs.item() == Approx(2 * ours).epsilon(1e-5));
  // The authors' own writing of the last two terms: − μτ + 1.5 σ²τ for − m + s².
  const Var authors = mean(square(s2 * x * network(x, time) + (log_x - Var(y0)) - 0.5 * s2 + 1.5 * s2));
  CHECK(authors.item() == theirs.item());
  // With EDM's weight twice ours is (IV.13) of loss.h, in which c is y_t in the frame, less the mean.
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
  CHECK(2 * loss(denoised, Weight::edm, t) == Approx(six).epsilon(1e-5));
  REFUSES(loss(model, Weight::paper, {0.1}), "[score_matching_loss] y0 (3,4), z (3,4) and the 1 times");
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

TEST_CASE("a consistency function samples in one evaluation and in several", "[sampler][consistency]") {
  const Mixture p = Mixture::in_dimension(2);
  const Index n = 20000;
  const Tensor truth = p.draw(n, Key{1});
  const Var start = Var(p.draw(n, Key{2})) + 3 * Var(normal(Key{3}, {n, 2}));
  const Denoiser f = [&](const Var& y, double s) {  // the probability flow itself, integrated finely
    return heun(p.denoiser(), y, edm_levels(60, 0.002, s));
  };
  for (const std::vector<double>& levels : {std::vector<double>{3, 0}, {3, 0.5, 0}, {3, 1, 0.2, 0}}) {
    INFO(levels.size() - 1 << " evaluations");
    const Var y = take_steps(f, start, consistency_steps(levels), Key{4});
    CHECK(sliced_wasserstein(y.value(), truth, 8, Key{5}) < 0.012);
  }
  // It is the same all along a path.
  std::vector<double> levels = edm_levels(60, 1, 3);
  levels.pop_back();
  const Var at_one = heun(p.denoiser(), start, levels);
  CHECK(mean(abs(f(at_one, 1) - f(start, 3))).item() < 1e-3);
}

TEST_CASE("on one normal the squared loss has its minimum where theory has it", "[diffusion][consistency]") {
  // y₀ ~ N(0, v): f(y; s) = √(v/(v + s²)) y, and the minimiser at t, with f as the target at r, is
  // √(v/(v + r²)) (v + rt)/(v + t²) y, which tends to f as r → t. (v = 1, t = 1, r = ½: 0.671; f: 0.707.)
  const double v = 1;
  const Edm edm{0, 1};
  const Tensor y0 = normal(Key{1}, {200000, 1});
  const auto f = [&](double s) { return std::sqrt(v / (v + s * s)); };
  double before = 1;
  for (int stage : {3, 5, 7}) {
    ConsistencySettings o;
    o.law = {std::log(0.5), 1e-9};  // t = 1, always
    o.c = 1e3;                      // large beside ‖·‖: the pseudo-Huber norm is the squared one
    const double r = earlier_level(edm, o, stage, 1);
    CHECK(r == Approx(1 - std::pow(2, -stage) * (1 + 8 / (1 + std::exp(0.5)))));
    // A network that is exact at r and has one parameter at t: D = c_skip y + c_out F = θ y.
    Var theta = parameter(Tensor({1}, {0.5}));
    const Network network = [&](const Var& x, const Var& c_noise) {
      const double s = std::exp(4 * static_cast<double>(slice(c_noise, 0, 0, 1).item()));
      const Var coefficient = recording() ? theta : Var(Tensor({1}, {static_cast<real>(f(s))}));
      return (coefficient - edm.c_skip(s)) * x / (edm.c_out(s) * edm.c_in(s));
    };
    const auto inputs = consistency_inputs(edm, o, stage, y0, Key{2});
    const auto slope = [&](double at) {
      theta.leaf_value() = Tensor({1}, {static_cast<real>(at)});
      return static_cast<double>(grad(consistency_loss(network, edm, o, inputs), {theta})[0].item());
    };
    // The loss is a parabola in θ: its minimum by two slopes.
    const double a = slope(0.4), b = slope(0.9), minimum = 0.4 - a * 0.5 / (b - a);
    CHECK(minimum == Approx(f(r) * (v + r) / (v + 1)).epsilon(0.01));
    CHECK(std::abs(minimum - f(1)) < before);
    before = std::abs(minimum - f(1));
  }
  CHECK(before < 0.01);
}

TEST_CASE("tuning begins at the data and draws by image", "[diffusion][consistency]") {
  const Edm edm{0.3, 0.25};
  const ConsistencySettings o;
  for (double t : {0.01, 0.1, 1.0}) CHECK(earlier_level(edm, o, 1, t) < t / 2);
  CHECK(earlier_level(edm, o, 1, 0.1) == 0);
  CHECK(earlier_level(edm, o, 8, 1) > 0.95);
  const Tensor y0 = uniform(Key{1}, {6, 1, 4, 4});
  const auto all = consistency_inputs(edm, o, 2, y0, Key{2}),
             rest = consistency_inputs(edm, o, 2, y0.slice(0, 2, 6), Key{2}, 2);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(gap(all[i].slice(0, 2, 6), rest[i]) == 0);
  // Where r is 0 the target is y₀, whatever the network says.
  const auto inputs = consistency_inputs(edm, {.law = {-4, 0.1}}, 1, y0, Key{3});
  CHECK(gap(inputs[2], Var(y0) - edm.mean) < 1e-6);
  CHECK(max(abs(Var(inputs[3]))).item() == 0);
  CHECK(consistency_levels(5, 0.5, 1) == std::vector<double>{5, 0});
  CHECK(consistency_levels(5, 0.5, 2)[1] == Approx(0.5 * std::sqrt(3.2)));
  CHECK(consistency_levels(5, 0.5, 3)[2] == Approx(0.4));
  CHECK(consistency_levels(5, 0.5, 2, {3}) == std::vector<double>{5, 1.5, 0});
  REFUSES(consistency_levels(5, 0.5, 2, {3, 1}), "2 steps have 1 levels between, not 2");
  REFUSES(earlier_level(edm, o, 0, 1), "the stage of consistency tuning is 0");
  REFUSES(consistency_steps({1, 2, 0}), "noise levels must fall");
}
