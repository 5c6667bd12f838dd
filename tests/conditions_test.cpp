// Chapters IV and V: guidance and inpainting, in either chart; on problems with known answers, and on a
// network.

#include "diffusion/denoiser.h"
#include "diffusion/exact.h"
#include "experiments/run/objective.h"
#include "experiments/run/sample.h"
#include "tests/compare.h"
#include "tests/workplace.h"

using namespace dale;

namespace {

Model small_model(const std::string& process, Index classes) {
  UNetShape shape{8, {1, 2, 2}, 32, classes};
  const Process& p = process_named(process);
  const Edm edm{p.multiplicative() ? 0.2 : 1.3, 0.25};
  return saying_little({&p, edm, default_prediction(p), ScoreUNet(shape, Key{3}), 28, 28, {}});
}

}  // namespace

TEST_CASE("guidance combines scores: between two normals it samples the tilted one", "[conditions]") {
  // Scores (D − y)/s² add up as w u₁ + (1 − w) u₀. With one variance v that is the score of a normal whose
  // mean is w m₁ + (1 − w) m₀, whatever the level.
  const double v = 0.04, w = 2.5;
  const Denoiser D = guided(LogNormal{0.6, v}.denoiser(), LogNormal{0.4, v}.denoiser(), w);
  const auto levels = edm_levels(40, 0.002, 10);
  const Var y = heun(D, normal_prior({20000}, w * 0.6 + (1 - w) * 0.4, std::hypot(10, 0.2), Key{1}), levels);
  CHECK(mean(y).item() == Approx(w * 0.6 + (1 - w) * 0.4).margin(0.01));
  CHECK(std::sqrt(variance(y).item()) == Approx(0.2).margin(0.01));
  const Var at = Tensor({2}, {0.1, 0.9});
  for (double s : {0.1, 1.0})
    for (double weight : {0.0, 1.0})
      CHECK(values(guided(LogNormal{1, v}.denoiser(), LogNormal{0, v}.denoiser(), weight)(at, s)) ==
            values(LogNormal{weight, v}.denoiser()(at, s)));
}

TEST_CASE("replacement: what is known comes out, and is a noisy known picture on the way", "[conditions]") {
  const Var known = Tensor({2}, {0.3, 0.7}), mask = Tensor({2}, {1, 0});
  const auto levels = edm_levels(20, 0.002, 5);
  const Var start = normal_prior({5000, 2}, 0.5, 5, Key{2});
  std::vector<std::pair<double, Var>> seen;
  const Denoiser watched = [&](const Var& y, double s) {
    seen.emplace_back(s, y);
    return LogNormal{0.5, 0.01}.denoiser()(y, s);
  };
  const Var y = heun(replaced(watched, known, mask), start, levels);
  const Var first = slice(y, 1, 0, 1), second = slice(y, 1, 1, 2);
  CHECK(max(abs(first - 0.3)).item() < 1e-4);
  CHECK(mean(second).item() == Approx(0.5).margin(0.01));  // free: drawn from the model
  for (const auto& [s, seen_y] : seen) {
    const Var straight = 0.3 + s / 5 * (slice(start, 1, 0, 1) - 0.3);
    CHECK(max(abs(slice(seen_y, 1, 0, 1) - straight)).item() < 1e-4 * (1 + s));
  }
}

TEST_CASE("every sampler completes a picture and obeys a class, in either chart", "[conditions]") {
  for (const std::string& process : process_names()) {
    Model model = small_model(process, 10);
    SampleOptions o{.steps = 3, .count = 4, .batch = 3};
    o.known = uniform(Key{5}, {1, 28, 28});
    o.mask = bernoulli(Key{4}, {1, 28, 28}, 0.5);
    for (const std::string& sampler : sampler_names()) {
      if (sampler == "dale-langevin" && !model.process->multiplicative()) break;  // as do those that follow
      INFO(process << ", " << sampler);
      o.sampler = sampler;
      const Var images = sample(model, o).images, known = broadcast_to(Var(o.known), images.shape());
      CHECK(max(masked(abs(images - known), broadcast_to(Var(o.mask), images.shape()))).item() == 0);
    }
    o.sampler = "dpm-solver";
    o.known = o.mask = {};
    o.classes = {1, 7};
    o.guidance = 2;
    const SampleResult two = sample(model, o);
    INFO(process);
    CHECK(two.evaluations == 2 * 3);
    o.guidance = 0;
    SampleOptions plain = o;
    plain.classes = {};
    CHECK((sample(model, o).images.to_vector() == sample(model, plain).images.to_vector()));
    CHECK((two.images.to_vector() != sample(model, plain).images.to_vector()));
  }
}

TEST_CASE("conditions that a model cannot meet", "[conditions][errors]") {
  Model model = small_model("gbm", 0), labelled = small_model("ve", 10);
  SampleOptions o{.steps = 1, .count = 1, .classes = {3}};
  REFUSES(sample(model, o), "trained without classes: train one with --classes");
  o.classes = {10};
  REFUSES(sample(labelled, o), "there is no class 10; the model knows 0 to 9");
  o.classes = {0};
  o.guidance = std::nan("");
  REFUSES(sample(labelled, o), "must be finite");
  o.classes = {};
  o.guidance = 1;
  o.known = Tensor::full({1, 28, 28}, 0);
  REFUSES(sample(model, o), "both a picture and a mask");
  o.mask = Tensor::full({1, 14, 28}, 0);
  REFUSES(sample(model, o), "(1,14,28); the model's images are (1,28,28)");
}
