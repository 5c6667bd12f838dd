// Chapter V: distances between sets of pictures, against closed forms and golden values; the classifiers that
// come with the program; what evaluation says of copies, of strangers and of too few.

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/judge/evaluate.h"
#include "nn/checkpoint.h"
#include "tensor/cpu/parallel.h"
#include "tests/folder.h"

using namespace dale;

namespace {

/// As in fixtures/metrics_golden.py.
Rows formula_rows(Index n, Index d, double phase, double shift, double scale) {
  std::vector<double> v;
  for (Index a = 0; a < n; ++a)
    for (Index b = 0; b < d; ++b) {
      const double i = static_cast<double>(a), j = static_cast<double>(b);
      v.push_back(shift + scale * (std::sin(1.7 * i + 0.9 * j * j + phase) + 0.3 * std::cos(0.37 * i * j)));
    }
  return Rows(n, d, v);
}

Moments diagonal(std::vector<double> mean, const std::vector<double>& variance) {
  const std::size_t d = mean.size();
  Moments m{std::move(mean), std::vector<double>(d * d)};
  for (std::size_t i = 0; i < d; ++i) m.covariance[i * d + i] = variance[i];
  return m;
}

/// A labelled data set of noise and a classifier trained on it for a moment.
struct Workplace : Folder {
  static constexpr Index train = 300, test = 200;

  Workplace() {
    for (const auto& [part, n, salt] : {std::tuple("train", train, 3u), std::tuple("t10k", test, 5u)})
      write_part(path / "mnist", part, noise(n * 784, 256, salt), noise(n, 10, salt));
  }
  static std::string noise(Index n, unsigned limit, std::uint64_t salt) {
    std::string bytes;
    for (real u : uniform(Key{salt}, {n}).to_vector())
      bytes += static_cast<char>(u * static_cast<real>(limit));
    return bytes;
  }
  ClassifierOptions options() const {
    return {.dataset = "mnist",
            .data = path.string(),
            .out = path / "classifier.safetensors",
            .epochs = 1,
            .batch = 50};
  }
};

}  // namespace

TEST_CASE("the Fréchet distance of normals is the closed form", "[evaluate]") {
  // In one dimension (m₁ − m₂)² + (s₁ − s₂)²; with diagonal covariances the sum of these.
  const Moments a = diagonal({1, 2, -3}, {4, 9, 0.25}), b = diagonal({0, 2, 1}, {1, 16, 0});
  CHECK(frechet_distance(a, b) == Approx(1 + 0 + 16 + 1 + 1 + 0.25).epsilon(1e-12));
  CHECK(frechet_distance(a, a) == Approx(0).margin(1e-12));
  // Covariances that do not commute: tr √(C₁C₂) of two by two is √(tr C₁C₂ + 2 √(det C₁ det C₂)).
  Moments c = diagonal({0, 0}, {2, 2});
  c.covariance[1] = c.covariance[2] = 1;
  const Moments d = diagonal({0, 0}, {5, 1});
  const double trace = std::sqrt(2 * 5 + 2 * 1 + 2 * std::sqrt(3.0 * 5));
  CHECK(frechet_distance(c, d) == Approx(4 + 6 - 2 * trace).epsilon(1e-12));
  CHECK(frechet_distance(d, c) == Approx(frechet_distance(c, d)).epsilon(1e-12));
  REFUSES(frechet_distance(a, c), "3 and 2 features");
}

TEST_CASE("distances meet the golden values of NumPy and SciPy", "[evaluate]") {
  const Rows real = formula_rows(60, 4, 0, 0, 1), fake = formula_rows(50, 4, 0.5, 0.2, 1.3);
  for (int n : {1, 2}) {
    set_threads(n);
    CHECK(frechet_distance(moments(real), moments(fake)) == Approx(0.402955490901127).epsilon(1e-11));
    CHECK(kernel_within(real) == Approx(1.50383361558518).epsilon(1e-12));
    CHECK(kernel_distance(real, fake, kernel_within(real)) == Approx(0.419438006777836).epsilon(1e-11));
    const DensityCoverage dc = density_coverage(real, fake);
    CHECK(dc.density == Approx(0.344).epsilon(1e-12));
    CHECK(dc.coverage == Approx(44.0 / 60).epsilon(1e-12));
  }
  const Neighbours found = nearest(real, real);
  for (Index i = 0; i < real.n; ++i) CHECK(found.index[static_cast<std::size_t>(i)] == i);
  CHECK(nearest(Rows(1, 2, {0, 0}), Rows(2, 2, {9, 9, 3, 4})).distance[0] == 5);
}

TEST_CASE("too few images for a distance are told how many are needed", "[evaluate][errors]") {
  REFUSES(moments(formula_rows(64, 64, 0, 0, 1)), "64 images: a covariance of 64 features needs at least 65");
  REFUSES(kernel_within(formula_rows(1, 4, 0, 0, 1)), "at least 2");
  REFUSES(density_coverage(formula_rows(5, 2, 0, 0, 1), formula_rows(5, 2, 0, 0, 1)),
          "neighbourhoods of 5 need at least 6");
  REFUSES(nearest(formula_rows(2, 3, 0, 0, 1), formula_rows(2, 4, 0, 0, 1)), "rows of 3 and of 4");
}

TEST_CASE("a classifier trains to the same bytes and is refused when it is none", "[evaluate]") {
  const Workplace w;
  set_threads(1);
  const Classifier one = train_classifier(w.options());
  set_threads(2);
  CHECK(train_classifier(w.options()).digest == one.digest);
  CHECK_THAT(one.notes.at("command"), Contains("dale train-classifier --dataset mnist --epochs 1"));
  NamedTensors file = read_safetensors(w.options().out);
  file.metadata["format"] = "dale model";
  write_safetensors(w.path / "bad.safetensors", file);
  REFUSES(load_classifier(w.path / "bad.safetensors"), "expected 'dale classifier'");
  file.metadata = {{"format", "dale classifier"}, {"classes", "1"}, {"accuracy", "1"}, {"dataset", "mnist"}};
  write_safetensors(w.path / "bad.safetensors", file);
  REFUSES(load_classifier(w.path / "bad.safetensors"), "classes = '1', expected 2 to 1000");
  CHECK(classifier_file("pictures/").empty());
}

TEST_CASE("the classifiers that come with the program are as good and as small as is claimed", "[evaluate]") {
  for (const auto& [set, least] :
       {std::pair("mnist", 0.99), std::pair("fashion-mnist", 0.905), std::pair("kmnist", 0.94)}) {
    const fs::path path = classifier_file(set);
    const Classifier c = load_classifier(path);
    CHECK(c.dataset == set);
    CHECK(c.accuracy >= least);
    CHECK(fs::file_size(path) <= 300000);
    CHECK_THAT(c.notes.at("command"), Contains(fmt::format("dale train-classifier --dataset {} ", set)));
    if (!find_split(set, "", Split::test)) continue;
    const Dataset test = load_dataset(set, "", Split::test);
    if (std::to_string(test.images.dim(0)) != c.notes.at("test_images")) continue;  // another split is here
    const Predictions judged = judge(c, test.images);
    const std::vector<std::int32_t> labels = test.labels.to_vector();
    double right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) right += judged.classes[i] == labels[i];
    CHECK(right / static_cast<double>(labels.size()) == Approx(c.accuracy).margin(5e-4));
  }
}

TEST_CASE("evaluation tells copies from strangers, and stands each number beside its floor", "[evaluate]") {
  const Workplace w;
  train_classifier(w.options());
  Reference reference("mnist", w.path.string(), w.options().out);
  const Tensor copies = reference.train().images.slice(0, 0, 100).packed();
  const Evaluation copied = reference.evaluate(copies);
  CHECK(copied.pixel_neighbour.value == 0);
  CHECK(copied.feature_neighbour.value == Approx(0).margin(1e-6));
  CHECK(copied.pixel_neighbour.floor == Approx(1).margin(0.05));  // noise: every image is a stranger
  CHECK(copied.pixel_neighbour.fake == 100);
  CHECK(copied.frechet.real == Workplace::test);
  CHECK(copied.frechet.fake == 100);
  // A floor is the same of as many training images: of them all it is the value itself.
  const Evaluation all = reference.evaluate(reference.train().images);
  for (auto measure : {&Evaluation::frechet, &Evaluation::kernel, &Evaluation::density, &Evaluation::coverage,
                       &Evaluation::entropy, &Evaluation::confidence})
    CHECK((all.*measure).value == Approx((all.*measure).floor).epsilon(1e-6));
  // Of more samples than there are training images it is that of all of these, and says so.
  const Index train = reference.train().images.dim(0);
  const Evaluation more = reference.evaluate(Tensor::full({train + 1, 1, 28, 28}, 0.5));
  CHECK((copied.floor_images == 100 && more.floor_images == train));
  CHECK_THAT(text_of(more, reference),
             Contains(fmt::format("floors by {} training images, all there are", train)));
  CHECK_THAT(text_of(copied, reference), !Contains("all there are"));
  Index judged = 0;
  for (Index c : copied.classes) judged += c;
  CHECK(judged == 100);

  const Evaluation grey = reference.evaluate(Tensor::full({100, 1, 28, 28}, 0.5));
  CHECK(grey.frechet.value > 2 * grey.frechet.floor);
  CHECK(grey.entropy.value == 0);
  CHECK(grey.coverage.value < copied.coverage.value);
  const auto json = json_of(copied, reference);
  CHECK(json_of(evaluation_from(json, "e.json"), reference) == json);
  REFUSES(evaluation_from({{"density", 1}}, "e.json"), "e.json: not what dale evaluate writes");
  REFUSES(reference.evaluate(copies.slice(0, 0, 64).packed()), "needs at least 65");
  REFUSES(reference.evaluate(Tensor::full({100, 1, 28, 28}, 2)), "must be in [0, 1]");
  REFUSES(reference.evaluate(Tensor({100, 1, 14, 14})),
          "must be images (1,28,28), which the classifier takes");
}
