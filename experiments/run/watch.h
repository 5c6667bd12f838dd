// Watching a run: every so many steps a look at what its averaged weights make,
//   grid-00000200.png   16 samples
//   validation.csv      step, loss on images kept back, always the same ones with the same noise
// Neither changes what is trained.
#pragma once

#include "experiments/run/train.h"

namespace dale {

class Watch {
 public:
  /// Of a run that goes on after `steps`: later rows of validation.csv are made again.
  Watch(const TrainOptions& options, Index steps);
  /// Leaves both files. Throws Stopped after SIGINT or SIGTERM.
  void look(Index step, Model& averaged);

 private:
  double loss(const Model& model) const;

  const TrainOptions& o_;
  Tensor images_;     // of the test split, at most 256
  IntTensor labels_;  // theirs, or undefined
  std::string rows_ = "step,loss\n";
};

/// The rows of RUN/validation.csv, step and loss; none where there is no such file.
std::vector<std::pair<Index, double>> read_validation(const std::filesystem::path& folder);

}  // namespace dale
