// A folder for one test with a data set of 64 images in it, and the options of a short run on them.
#pragma once

#include "experiments/run/train.h"
#include "tensor/file.h"
#include "tests/folder.h"

namespace dale {

struct Workplace {
  Folder folder;
  const std::filesystem::path& path = folder.path;

  Workplace() { write_part(path / "mnist", "train", noise(64 * 784, 256), noise(64, 10)); }

  TrainOptions options(const std::string& run) const {
    TrainOptions o;
    o.dataset = "mnist";
    o.data = path.string();
    o.out = path / run;
    o.steps = 3;
    o.batch = 10;
    o.channels = 8;
    o.seed = 5;
    return o;
  }
};

}  // namespace dale
