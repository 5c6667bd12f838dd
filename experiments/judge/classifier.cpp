#include "experiments/judge/classifier.h"

#include <algorithm>

#include "experiments/data/dataset.h"
#include "experiments/data/idx.h"
#include "experiments/run/batches.h"
#include "experiments/run/fit.h"
#include "nn/checkpoint.h"
#include "nn/optim.h"
#include "tensor/file.h"
#include "tensor/version.h"

namespace dale {
namespace {

// Streams of the run's key.
enum : std::uint64_t { weights_stream, order_stream, shift_stream };
const Shape usual_image{1, 28, 28};  // which a classifier's file does not tell
constexpr Index largest_shift = 2;
constexpr double weight_decay = 1e-2;  // of the weights, per unit of learning rate

/// Images (N,C,H,W) moved by whole pixels, black where nothing comes in.
Tensor shifted(const Tensor& images, Index down, Index right) {
  const Index H = images.dim(2), W = images.dim(3), s = largest_shift;
  const Var rows = slice(pad(images, 2, s, s), 2, s - down, s - down + H);
  return slice(pad(rows, 3, s, s), 3, s - right, s - right + W).value();
}

Dataset labelled(const ClassifierOptions& o, Split split) {
  Dataset data = load_dataset(o.dataset, o.data, split, o.treatment);
  if (data.classes < 2)
    invalid(
        "{}: a classifier needs images in two classes or more; put those of a class in a folder of its own",
        o.dataset);
  return data;
}

void save(Classifier& classifier, const ClassifierOptions& o, const Dataset& train, const Dataset& test) {
  NamedTensors file;
  file.metadata = {
      {"format", "dale classifier"},
      {"dale", version},
      {"random_stream", std::to_string(random_stream_version)},
      {"dataset", o.dataset},
      {"classes", std::to_string(train.classes)},
      {"training_images", std::to_string(train.images.dim(0))},
      {"test_images", std::to_string(test.images.dim(0))},
      {"accuracy", fmt::format("{:.4f}", classifier.accuracy)},
      {"note", train.note},
      {"command", fmt::format("dale train-classifier --dataset {} --epochs {} --batch {} --lr {} --seed {}",
                              o.dataset, o.epochs, o.batch, o.learning_rate, o.seed)}};
  const Shape& image = classifier.network.image;
  if (!(image == usual_image))
    file.metadata.merge(std::map<std::string, std::string>{{"colours", std::to_string(image[0])},
                                                           {"height", std::to_string(image[1])},
                                                           {"width", std::to_string(image[2])}});
  file.metadata.merge(notes_of(o.treatment));
  for (const auto& p : parameters(classifier.network))
    file.tensors.emplace_back(p.name, p.parameter->value());
  write_safetensors(o.out, file);
}

}  // namespace

Classifier train_classifier(const ClassifierOptions& o) {
  if (o.epochs < 1 || o.batch < 1 || !(o.learning_rate > 0) || !std::isfinite(o.learning_rate))
    invalid(
        "a classifier needs at least 1 epoch, 1 image a batch and a positive learning rate, not {}, {} and "
        "{}",
        o.epochs, o.batch, o.learning_rate);
  const Dataset train = labelled(o, Split::train), test = labelled(o, Split::test);
  const Key key{o.seed};
  const Shape image{train.images.dim(1), train.images.dim(2), train.images.dim(3)};
  Classifier classifier{LeNet(train.classes, key.split(weights_stream), image), o.dataset, "", 0, {}};
  const auto all = parameters(classifier.network);
  Adam adam(all, {.decay = weight_decay});
  Batches batches(train.images, train.labels, key.split(order_stream), o.batch);
  const Index steps = std::max<Index>(1, o.epochs * train.images.dim(0) / o.batch);
  const auto moves =
      integers(key.split(shift_stream), {2 * steps}, -largest_shift, largest_shift + 1).to_vector();
  Progress bar(o.dataset + " classifier", steps, "images", o.batch);
  const auto gradients = [&](Index step) {
    const Batch batch = batches.at(step);
    const std::size_t at = static_cast<std::size_t>(2 * step);
    const Tensor images = shifted(batch.images, moves[at], moves[at + 1]);
    return gradients_of(cross_entropy(classifier.network(images), batch.labels), all);
  };
  fit(adam, {steps, o.learning_rate}, 1, bar, gradients, [](Index, const Gradients&) {});
  classifier.accuracy = share_right(test, judge(classifier, test.images).classes);
  save(classifier, o, train, test);
  return load_classifier(o.out);
}

Classifier load_classifier(const std::filesystem::path& path) {
  const NamedTensors file = read_safetensors(path);
  const auto text = [&](const char* name) {
    return expect_entry(file.metadata, name, path,
                        ", so it is not a classifier that dale train-classifier wrote");
  };
  if (text("format") != "dale classifier")
    failed("{}: its format is '{}', expected 'dale classifier'", path.string(), text("format"));
  const auto number = [&](const char* name, int least, int most) {
    const int n = std::atoi(text(name).c_str());
    if (n < least || n > most)
      failed("{}: its metadata has {} = '{}', expected {} to {}", path.string(), name, text(name), least,
             most);
    return n;
  };
  const int n = number("classes", 2, 1000);
  Shape image = usual_image;
  if (file.metadata.contains("colours"))
    image = {number("colours", 1, 3), number("height", 1, 1024), number("width", 1, 1024)};
  const std::string accuracy = text("accuracy");
  Classifier classifier{LeNet(n, Key{0}, image), text("dataset"), md5(read_file(path)),
                        std::atof(accuracy.c_str()), file.metadata};
  assign_parameters(parameters(classifier.network), file, path);
  return classifier;
}

std::filesystem::path classifier_file(const std::string& dataset) {
  const auto names = dataset_names();
  const std::string name = published_name(dataset);
  if (std::find(names.begin(), names.end(), name) == names.end()) return "";
  return pretrained("classifier-" + name + ".safetensors");
}

Predictions judge(const Classifier& classifier, const Tensor& images) {
  const NoGrad off;
  constexpr Index chunk = 250;
  const Index N = images.dim(0);
  Predictions all{Tensor({N, LeNet::width}), {}, {}};
  for (Index first = 0; first < N; first += chunk) {
    const Index end = std::min(N, first + chunk);
    const Var features = classifier.network.features(images.slice(0, first, end).packed());
    raw::copy_into(all.features.slice(0, first, end), features.value());
    const Var probability = softmax(classifier.network.classify(features), 1);
    for (std::int32_t c : argmax(probability, 1).to_vector()) all.classes.push_back(c);
    for (real p : max(probability, {1}).value().to_vector()) all.confidence.push_back(static_cast<double>(p));
  }
  return all;
}

}  // namespace dale
