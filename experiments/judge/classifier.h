// The judge: a small classifier per data set (nn/lenet.h), trained by this project, whose 64 features,
// classes and confidence `dale evaluate` uses. Its weights come with the program, in experiments/pretrained;
// the command that made them is in their metadata. It is not the Inception network of published Fréchet
// distances, which was trained on colour photographs: distances here compare with one another, not with
// those.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "experiments/data/dataset.h"
#include "nn/lenet.h"

namespace dale {

struct Classifier {
  LeNet network;
  std::string dataset, digest;               // digest: MD5 of the file
  double accuracy;                           // on the images kept back from its training
  std::map<std::string, std::string> notes;  // its metadata
};

struct ClassifierOptions {
  std::string dataset = "fashion-mnist", data;  // data: folder given with --data, or empty
  Treatment treatment{};                        // of the images
  std::filesystem::path out;                    // the file, *.safetensors
  Index epochs = 12, batch = 128;
  double learning_rate = 2e-3;
  std::uint64_t seed = 0;
};

/// Trains by Adam on cross-entropy, with a learning rate that falls linearly to 0, on images shifted by up to
/// two pixels; writes the file and returns what load_classifier would. The same options give the same bytes.
/// Throws as load_dataset; std::invalid_argument for images without labels.
Classifier train_classifier(const ClassifierOptions& options);

/// From a file. Throws std::runtime_error with the path for anything that train_classifier did not write.
Classifier load_classifier(const std::filesystem::path& path);

/// The file of the classifier that comes with a data set, or "" where none does.
std::filesystem::path classifier_file(const std::string& dataset);

/// What a classifier says of images (N,C,H,W): features (N,64), classes, and the largest probability of
/// each.
struct Predictions {
  Tensor features;
  std::vector<std::int32_t> classes;
  std::vector<double> confidence;
};
Predictions judge(const Classifier& classifier, const Tensor& images);

}  // namespace dale
