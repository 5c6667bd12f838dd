// A folder for one test with a data set of 64 images in it, the options of a short run on them, and a
// network to sample from.
#pragma once

#include "experiments/run/train.h"
#include "tests/folder.h"

namespace dale {

struct Workplace : Folder {
  Workplace() { write_part(path / "mnist", "train", noise(64 * 784, 256), noise(64, 10)); }

  TrainOptions options(const std::string& run) const {
    return {.dataset = "mnist",
            .data = path.string(),
            .out = path / run,
            .steps = 3,
            .batch = 10,
            .channels = 8,
            .seed = 5};
  }
};

/// After a few steps of training a network may say anything, and a few steps of a sampler diverge on it; one
/// that says little cannot.
inline Model saying_little(Model model) {
  for (Var* head : {&model.network.head.weight, &model.network.head.bias})
    head->leaf_value() = (Var(head->value()) * 1e-3).value();
  return model;
}

}  // namespace dale
