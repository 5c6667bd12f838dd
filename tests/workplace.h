// A folder for one test with a data set of 64 images in it, and the options of a short run on them.
#pragma once

#include "experiments/run/train.h"
#include "tests/folder.h"

namespace dale {

struct Workplace {
  Folder folder;
  const fs::path& path = folder.path;

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

}  // namespace dale
