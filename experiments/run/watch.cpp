#include "experiments/run/watch.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "experiments/pictures/image.h"
#include "experiments/run/objective.h"
#include "experiments/run/ranks.h"
#include "experiments/run/samples.h"
#include "tensor/file.h"

namespace dale {
namespace {

constexpr Index most_held_back = 256, samples_shown = 16;
constexpr std::uint64_t watch_stream = 5;  // of the run's key, beside those of train.cpp

std::string row_of(Index step, double loss) { return fmt::format("{},{:.9g}\n", step, loss); }

}  // namespace

Watch::Watch(const TrainOptions& o, Index steps) : o_(o) {
  const Dataset test = load_dataset(o.dataset, o.data, Split::test, o.treatment);
  const Index count = std::min(most_held_back, test.images.dim(0));
  images_ = test.images.slice(0, 0, count).packed();
  if (o.classes) labels_ = test.labels.slice(0, 0, count).packed();
  for (const auto& [step, loss] : read_validation(o.out))
    if (step <= steps) rows_ += row_of(step, loss);
}

double Watch::loss(const Model& model) const {
  const NoGrad off;
  const ScoreModel network = model.score_model({labels_.defined() ? labels_.to(o_.device) : IntTensor(), {}});
  const Tensor y0 = model.chart(images_.to(o_.device)).value();
  const Key key = Key{o_.seed}.split(watch_stream);
  return training_loss(network, loss_inputs(network, {o_.level_mean, o_.level_deviation}, y0, key))
      .value()
      .item();
}

void Watch::look(Index step, Model& averaged) {
  if (!averaged.consistent()) {  // whose loss is another at every stage
    rows_ += row_of(step, loss(averaged));
    if (rank() == 0) write_file(o_.out / "validation.csv", rows_);
  }
  SampleOptions s;
  s.sampler = averaged.consistent() ? "consistency" : "dpm-solver";
  s.steps = averaged.consistent() ? 2 : 20;
  s.count = s.batch = samples_shown;
  s.seed = o_.seed;
  s.device = o_.device;
  for (Index c = 0; c < averaged.network.shape.classes; ++c)
    s.classes.push_back(static_cast<std::int32_t>(c));
  const Tensor images = sample(averaged, s).images;
  if (rank() > 0) return;
  write_png(o_.out / fmt::format("grid-{:08}.png", step), grid_of(images, averaged).picture);
}

std::vector<std::pair<Index, double>> read_validation(const std::filesystem::path& folder) {
  std::vector<std::pair<Index, double>> rows;
  if (!std::filesystem::exists(folder / "validation.csv")) return rows;
  std::istringstream text(read_file(folder / "validation.csv"));
  for (std::string line; std::getline(text, line);) {
    long long step = 0;
    double loss = 0;
    if (std::sscanf(line.c_str(), "%lld,%lf", &step, &loss) == 2) rows.emplace_back(step, loss);
  }
  return rows;
}

}  // namespace dale
