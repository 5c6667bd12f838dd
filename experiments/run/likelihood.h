// Bits per dimension of a data set's test images: `dale likelihood`.
#pragma once

#include "experiments/run/model.h"

namespace dale {

struct LikelihoodOptions {
  std::filesystem::path model;
  std::string dataset = "fashion-mnist", data;
  Index count = 16, batch = 64;
  int steps = 100;
  std::uint64_t seed = 0;
  Device device = Device::cpu;
};

/// Mean of (IV.34) over the first `count` test images, by the probability flow with one Hutchinson draw per
/// image.
struct Likelihood {
  double bits;
  double standard_error;  // over images; NaN of one image, which has none
  double solver_error;    // |bits with half the steps − bits|, as an estimate: the integral's own error
  Index count;
  std::string note;  // the data set's
};

/// Independent of the batch. Throws as load_model and load_dataset, and std::invalid_argument for images of
/// another size than the model's.
Likelihood likelihood(const LikelihoodOptions& options);

/// Lines for people: the value, and how far the solver's error lets one read its digits.
std::string text_of(const Likelihood& result, const LikelihoodOptions& options);

}  // namespace dale
