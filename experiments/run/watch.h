// Watching a run: every so many steps a look at what its averaged weights make,
//   grid-00000200.png   16 samples
//   validation.csv      step, loss on images kept back, always the same ones with the same noise
// Neither changes what is trained.
#pragma once

#include <algorithm>

#include "experiments/pictures/image.h"
#include "experiments/run/objective.h"
#include "experiments/run/ranks.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"

namespace dale {

class Watch {
 public:
  /// Of a run that goes on after `steps`: later rows of validation.csv are made again.
  Watch(const TrainOptions& o, Index steps) : o_(o) {
    constexpr Index most_held_back = 256;
    const Dataset test = load_dataset(o.dataset, o.data, Split::test, o.treatment);
    const Index count = std::min(most_held_back, test.images.dim(0));
    images_ = test.images.slice(0, 0, count).packed();
    if (o.classes) labels_ = test.labels.slice(0, 0, count).packed();
    for (const auto& [step, loss] : read_validation(o.out))
      if (step <= steps) add(step, loss);
  }

  /// Leaves both files. Throws Stopped after SIGINT or SIGTERM.
  void look(Index step, Model& averaged) {
    const bool consistent = averaged.consistent();
    if (!consistent) {  // whose loss is another at every stage
      add(step, loss(averaged));
      if (rank() == 0) write_file(o_.out / "validation.csv", rows_);
    }
    SampleOptions s;
    s.sampler = consistent ? "consistency" : "dpm-solver";
    s.steps = consistent ? 2 : 20;
    s.count = s.batch = 16;
    s.seed = o_.seed;
    s.device = o_.device;
    for (Index c = 0; c < averaged.network.shape.classes; ++c)
      s.classes.push_back(static_cast<std::int32_t>(c));
    const Tensor images = sample(averaged, s).images;
    if (rank() > 0) return;
    write_png(o_.out / fmt::format("grid-{:08}.png", step), grid_of(images, averaged).picture);
  }

 private:
  static constexpr std::uint64_t stream = 5;  // of the run's key, beside those of Training

  void add(Index step, double loss) { rows_ += fmt::format("{},{:.9g}\n", step, loss); }
  double loss(const Model& model) const {
    const NoGrad off;
    const ScoreModel network =
        model.score_model({labels_.defined() ? labels_.to(o_.device) : IntTensor(), {}});
    const Tensor y0 = model.chart(images_.to(o_.device)).value();
    const LevelDistribution law{o_.level_mean, o_.level_deviation};
    return training_loss(network, loss_inputs(network, law, y0, Key{o_.seed}.split(stream))).value().item();
  }

  const TrainOptions& o_;
  Tensor images_;     // of the test split
  IntTensor labels_;  // theirs, or undefined
  std::string rows_ = "step,loss\n";
};

}  // namespace dale
