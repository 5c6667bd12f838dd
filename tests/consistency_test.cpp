// Chapter IV, one multiplication: consistency models where the consistency function is known.
#include "diffusion/consistency.h"

#include "diffusion/exact.h"
#include "tests/compare.h"

using namespace dale;

namespace {

/// The consistency function of a mixture: the probability flow itself, integrated finely.
Denoiser exact_flow(const Mixture& p) {
  return [p](const Var& y, double s) { return heun(p.denoiser(), y, edm_levels(60, 0.002, s)); };
}

}  // namespace

TEST_CASE("a consistency function samples in one evaluation and in several", "[sampler][consistency]") {
  const Mixture p = Mixture::in_dimension(2);
  const Index n = 20000;
  const Tensor truth = p.draw(n, Key{1});
  const Var start = Var(p.draw(n, Key{2})) + 3 * Var(normal(Key{3}, {n, 2}));
  const Denoiser f = exact_flow(p);
  for (const std::vector<double>& levels : {std::vector<double>{3, 0}, {3, 0.5, 0}, {3, 1, 0.2, 0}}) {
    INFO(levels.size() - 1 << " evaluations");
    const Var y = take_steps(f, start, consistency_steps(levels), Key{4});
    CHECK(sliced_wasserstein(y.value(), truth, 8, Key{5}) < 0.012);
  }
  // It is the same all along a path.
  const Var at_one = heun(p.denoiser(), start, [] {
    auto levels = edm_levels(60, 1, 3);
    levels.pop_back();
    return levels;
  }());
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
