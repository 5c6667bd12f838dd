// `dale evaluate`: how good are samples? Their features, by the data set's classifier (classifier.h), are
// compared with those of the real images that neither model nor classifier was trained on. Beside each number
// stands its floor, what as many training images (all, where there are fewer) give in the samples' place: no
// sampler can be expected to do better, and what is below it is noise or memory.
//
// Read first: metrics.h.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "experiments/data/dataset.h"
#include "experiments/judge/classifier.h"
#include "experiments/judge/metrics.h"

namespace dale {

struct Measure {
  double value, floor;
  Index real, fake;  // images compared
};

struct Evaluation {
  Measure frechet, kernel;      // with all real images kept back
  Measure density, coverage;    // with as many real images as samples, where there are so many; k = 5
  Measure entropy, confidence;  // of the classes found, 1 for equal shares; mean largest probability
  Measure pixel_neighbour, feature_neighbour;  // see below
  std::vector<Index> classes;                  // how many samples of each
  Index floor_images;                          // training images that the floors are of
};
// A neighbour ratio is the mean of d(sample, nearest training image) / d(sample, nearest of half the test
// images), over at most `most_searched` samples. A model that copies goes to 0; the floor is here what images
// of the other half give, which were never trained on: below 1, because there are more training images.

constexpr Index most_searched = 256;

/// The first n images, or all where there are fewer.
Tensor first_images(const Tensor& images, Index n);

/// The images, when they can be evaluated: in [0,1], of the classifier's shape, and enough for a covariance
/// of its features. Throws std::invalid_argument where not, before anything is computed.
Tensor expect_samples(Tensor images, const Classifier& classifier);

/// The real side, whose features and distances are computed once.
class Reference {
 public:
  /// Throws as load_dataset and load_classifier; std::invalid_argument when the classifier's images are not
  /// the data set's size.
  Reference(const std::string& dataset, const std::string& data_option,
            const std::filesystem::path& classifier, const Treatment& how = {});

  /// Throws as expect_samples.
  Evaluation evaluate(const Tensor& images);

  const Classifier& classifier() const { return classifier_; }
  const Dataset& train() const { return train_; }
  const Dataset& test() const { return test_; }
  /// For each image the nearest training image's number and the distance, in pixels, or in features.
  Neighbours nearest_in_training(const Tensor& images, bool in_features) const;

 private:
  /// The values, without floors; the neighbours are those of `searched`.
  Evaluation measure(const Tensor& images, const Tensor& searched) const;

  Dataset train_, test_;
  Classifier classifier_;
  Tensor half_, other_half_;  // test images that neighbours are looked for among, and the others
  Rows real_, train_pixels_, half_pixels_, train_features_, half_features_;
  Moments real_moments_;
  double real_within_;
  std::map<Index, std::optional<Evaluation>> floors_;  // of so many training images
};

/// Everything, with the classifier's digest, accuracy and command.
nlohmann::ordered_json json_of(const Evaluation& evaluation, const Reference& reference);
/// What json_of wrote. Throws std::runtime_error with `path` when it is something else.
Evaluation evaluation_from(const nlohmann::ordered_json& json, const std::filesystem::path& path);
/// A table for the terminal.
std::string text_of(const Evaluation& evaluation, const Reference& reference);

}  // namespace dale
