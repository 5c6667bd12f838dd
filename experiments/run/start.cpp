// What training begins with: a fresh network, or a trained denoiser that is tuned to consistency.
#include <algorithm>

#include "diffusion/consistency.h"
#include "experiments/run/train.h"

namespace dale {
namespace {

Model fresh_model(const TrainOptions& o, const Dataset& data, Key weights) {
  if (o.classes && data.classes == 0)
    invalid("--classes needs labels, which {} has not: put the images of each class into a folder of its own",
            o.dataset);
  const Process& process = process_named(o.process);
  Model model{&process,
              {},
              default_prediction(process),
              ScoreUNet({.channels = o.channels, .classes = o.classes ? data.classes : 0}, weights),
              data.images.dim(2),
              data.images.dim(3),
              embedding_named(o.embedding),
              {{"dataset", o.dataset}, {"steps", std::to_string(o.steps)}, {"seed", std::to_string(o.seed)}}};
  model.embedding.expect_domain(data.images, o.dataset);
  model.edm = Edm::fitted(model.chart(data.images).value());
  return model;
}

Model model_to_tune(const TrainOptions& o, const Dataset& data) {
  Model model = load_model(o.tuned_from);
  const std::string path = o.tuned_from.string();
  if (data.images.dim(2) != model.height || data.images.dim(3) != model.width)
    invalid("{} makes images of {}×{}, those of {} are {}×{}: tune with images of the model's size", path,
            model.height, model.width, o.dataset, data.images.dim(2), data.images.dim(3));
  if (model.network.shape.classes && model.network.shape.classes != data.classes)
    invalid("{} knows {} classes, {} has {}: tune with the model's own data", path,
            model.network.shape.classes, o.dataset, data.classes);
  if (const std::string own = model.notes["dataset"]; own != o.dataset)
    say("{} was trained on {} and is tuned on {}\n", path, own, o.dataset);
  model.notes = {{"dataset", o.dataset},
                 {"steps", std::to_string(o.steps)},
                 {"seed", std::to_string(o.seed)},
                 {"consistency", std::to_string(o.stages)}};
  model.embedding.expect_domain(data.images, o.dataset);
  return model;
}

}  // namespace

Model model_to_train(const TrainOptions& o, const Dataset& data, Key weights) {
  const auto values = data.images.cspan();
  if (const auto [low, high] = std::minmax_element(values.begin(), values.end()); *low == *high)
    failed("{}: every value is {}; expected images that differ", o.dataset, *low);
  Model model = o.tuned_from.empty() ? fresh_model(o, data, weights) : model_to_tune(o, data);
  if (!data.note.empty()) model.notes["note"] = data.note;
  model.to(o.device);
  return model;
}

TrainOptions usual_tuning() {
  const LevelDistribution law = ConsistencySettings{}.law;
  TrainOptions o;
  o.steps = 3600;
  o.batch = 16;
  o.decay = "cosine";
  o.level_mean = law.mean;
  o.level_deviation = law.deviation;
  return o;
}

TrainOptions tuning_of(const std::filesystem::path& path) {
  const Model model = load_model(path);
  if (model.meaning != Parameterisation::denoised)
    invalid(
        "{} is of the process {}, whose network predicts the {}: consistency tunes a denoiser, of gbm or ve",
        path.string(), model.process->name(), str(model.meaning));
  TrainOptions o;
  o.tuned_from = path;
  o.process = model.process->name();
  o.channels = model.network.shape.channels;
  o.classes = model.network.shape.classes > 0;
  o.embedding = model.embedding.name();
  return o;
}

}  // namespace dale
