// Chapter IV, losses on problems whose scores are known (diffusion/exact.h).
#include "diffusion/exact.h"
#include "diffusion/loss.h"
#include "tests/compare.h"

using namespace dale;

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
      const ScoreModel m = model(meaning, value);
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
