#include "experiments/judge/evaluate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/version.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;

/// −Σ p log p / log K of the shares of K classes.
double entropy_of(const std::vector<Index>& counts) {
  double total = 0, sum = 0;
  for (Index c : counts) total += static_cast<double>(c);
  for (Index c : counts)
    if (c > 0) sum -= static_cast<double>(c) / total * scalar::log(static_cast<double>(c) / total);
  return sum / scalar::log(static_cast<double>(counts.size()));
}

struct Named {
  const char *key, *title;
  Measure Evaluation::*measure;
};
constexpr Named all_measures[] = {
    {"frechet_distance", "Fréchet distance", &Evaluation::frechet},
    {"kernel_distance", "kernel distance (KID)", &Evaluation::kernel},
    {"density", "density", &Evaluation::density},
    {"coverage", "coverage", &Evaluation::coverage},
    {"class_entropy", "class entropy", &Evaluation::entropy},
    {"confidence", "confidence", &Evaluation::confidence},
    {"pixel_neighbour_ratio", "neighbour ratio, pixels", &Evaluation::pixel_neighbour},
    {"feature_neighbour_ratio", "neighbour ratio, features", &Evaluation::feature_neighbour}};

}  // namespace

Tensor first_images(const Tensor& x, Index n) { return x.slice(0, 0, std::min(n, x.dim(0))).packed(); }

Tensor expect_samples(Tensor images, const Classifier& classifier) {
  const Shape& one = classifier.network.image;
  if (images.rank() != 4 || !(Shape{images.dim(1), images.dim(2), images.dim(3)} == one))
    invalid("[evaluate] samples {} must be images {}, which the classifier takes", str(images.shape()),
            str(one));
  expect_rank(images.dim(0), LeNet::width, "samples");
  for (real v : images.to_vector())
    if (!(v >= 0 && v <= 1)) invalid("[evaluate] a pixel of the samples is {}; it must be in [0, 1]", v);
  return images;
}

Reference::Reference(const std::string& dataset, const std::string& data,
                     const std::filesystem::path& classifier, const Treatment& how)
    : train_(load_dataset(dataset, data, Split::train, how)),
      test_(load_dataset(dataset, data, Split::test, how)),
      classifier_(load_classifier(classifier)),
      half_(shuffled(test_.images, 0, test_.images.dim(0) / 2)),
      other_half_(shuffled(test_.images, half_.dim(0), test_.images.dim(0) - half_.dim(0))),
      real_(judge(classifier_, shuffled(test_.images, 0, test_.images.dim(0))).features),
      train_pixels_(train_.images),
      half_pixels_(half_),
      train_features_(judge(classifier_, train_.images).features),
      half_features_(judge(classifier_, half_).features),
      real_moments_(moments(real_, "test images of the data set")),
      real_within_(kernel_within(real_)) {}

Evaluation Reference::measure(const Tensor& images, const Tensor& searched) const {
  const Predictions judged = judge(classifier_, images);
  const Rows fake(judged.features);
  const Index n = fake.n, balls = std::min(real_.n, n);
  Evaluation e{};
  e.frechet = {frechet_distance(real_moments_, moments(fake)), 0, real_.n, n};
  e.kernel = {kernel_distance(real_, fake, real_within_), 0, real_.n, n};
  const Rows some(balls, real_.d, {real_.values.begin(), real_.values.begin() + balls * real_.d});
  const DensityCoverage around = density_coverage(some, fake);
  e.density = {around.density, 0, balls, n};
  e.coverage = {around.coverage, 0, balls, n};
  e.classes.resize(static_cast<std::size_t>(classifier_.network.logits.bias.dim(0)));
  for (std::int32_t c : judged.classes) ++e.classes[static_cast<std::size_t>(c)];
  e.entropy = {entropy_of(e.classes), 0, 0, n};
  e.confidence = {0, 0, 0, n};
  for (double c : judged.confidence) e.confidence.value += c / static_cast<double>(n);
  const Tensor few = first_images(searched, most_searched);
  const Rows pixels(few), features(judge(classifier_, few).features);
  const Index among = train_.images.dim(0) + half_.dim(0);
  e.pixel_neighbour = {neighbour_ratio(pixels, train_pixels_, half_pixels_), 0, among, pixels.n};
  e.feature_neighbour = {neighbour_ratio(features, train_features_, half_features_), 0, among, pixels.n};
  return e;
}

Evaluation Reference::evaluate(const Tensor& images) {
  expect_samples(images, classifier_);
  Evaluation e = measure(images, images);
  e.floor_images = std::min(images.dim(0), train_.images.dim(0));
  std::optional<Evaluation>& floor = floors_[images.dim(0)];
  if (!floor) floor = measure(shuffled(train_.images, 0, e.floor_images), other_half_);
  for (const Named& m : all_measures) (e.*m.measure).floor = ((*floor).*m.measure).value;
  return e;
}

Neighbours Reference::nearest_in_training(const Tensor& images, bool in_features) const {
  return in_features ? nearest(Rows(judge(classifier_, images).features), train_features_)
                     : nearest(Rows(images), train_pixels_);
}

Json json_of(const Evaluation& e, const Reference& r) {
  Json json = {{"dale", version},
               {"dataset", r.test().name},
               {"note", r.test().note},
               {"classifier",
                {{"md5", r.classifier().digest},
                 {"dataset", r.classifier().dataset},
                 {"accuracy", r.classifier().accuracy},
                 {"command", r.classifier().notes.at("command")}}}};
  for (const Named& m : all_measures) {
    const Measure& v = e.*m.measure;
    json[m.key] = {{"value", v.value}, {"floor", v.floor}, {"n_real", v.real}, {"n_fake", v.fake}};
  }
  json["classes"] = e.classes;
  json["floor_images"] = e.floor_images;
  return json;
}

Evaluation evaluation_from(const Json& json, const std::filesystem::path& path) {
  Evaluation e;
  try {
    for (const Named& m : all_measures) {
      const Json& v = json.at(m.key);
      e.*m.measure = {v.at("value"), v.at("floor"), v.at("n_real"), v.at("n_fake")};
    }
    e.classes = json.at("classes").get<std::vector<Index>>();
    e.floor_images = json.at("floor_images");
  } catch (const nlohmann::json::exception& error) {
    failed("{}: not what dale evaluate writes ({}); remove it to have it made again", path.string(),
           error.what());
  }
  return e;
}

std::string text_of(const Evaluation& e, const Reference& r) {
  std::string text = fmt::format("{:<28}{:>11}{:>11}{:>9}{:>9}\n", "", "value", "floor", "n real", "n fake");
  for (const Named& m : all_measures) {
    const Measure& v = e.*m.measure;
    text += fmt::format("{:<28}{:>11.4g}{:>11.4g}{:>9}{:>9}\n", m.title, v.value, v.floor,
                        v.real ? std::to_string(v.real) : "-", v.fake);
  }
  text += fmt::format("{:<28} {}", "samples of each class", fmt::join(e.classes, " "));
  if (e.floor_images < e.frechet.fake)
    text += fmt::format("\nfloors by {} training images, all there are", e.floor_images);
  return text +
         fmt::format("\nby the classifier {} ({:.2f} % right, features of {} units): not Inception's FID\n",
                     r.classifier().digest, 100 * r.classifier().accuracy, LeNet::width);
}

}  // namespace dale
