// What training begins with: a model, and the whole of its options on paper.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diffusion/consistency.h"
#include "experiments/data/idx.h"
#include "experiments/data/own.h"
#include "experiments/run/options.h"
#include "experiments/run/ranks.h"
#include "experiments/run/train.h"
#include "tensor/cpu/level.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

std::map<std::string, std::string> notes_of_run(const TrainOptions& o) {
  return {{"dataset", o.dataset}, {"steps", std::to_string(o.steps)}, {"seed", std::to_string(o.seed)}};
}

Model fresh_model(const TrainOptions& o, const Dataset& data, Key weights) {
  if (o.classes && data.classes == 0)
    invalid("--classes needs labels, which {} has not: put the images of each class into a folder of its own",
            o.dataset);
  const Index height = data.images.dim(2), width = data.images.dim(3), levels = Index(o.multipliers.size());
  const Index unit = Index{1} << std::min<Index>(std::max<Index>(levels, 1) - 1, 20);
  if (height % unit || width % unit)
    invalid(
        "{}: images of {}x{}; a network of {} levels halves them {} times: choose a --size of multiples of "
        "{}, or fewer --multipliers",
        o.dataset, height, width, levels, levels - 1, unit);
  const UNetShape shape{.channels = o.channels,
                        .multipliers = o.multipliers,
                        .classes = o.classes ? data.classes : 0,
                        .colours = data.images.dim(1),
                        .attention = levels_of_heights(o.attention, height, o.multipliers.size())};
  const Process& process = process_named(o.process);
  Model model{&process, {},    default_prediction(process),  ScoreUNet(shape, weights),
              height,   width, embedding_named(o.embedding), notes_of_run(o)};
  model.embedding.expect_domain(data.images, o.dataset);
  model.edm = Edm::fitted(model.chart(data.images).value());
  return model;
}

/// A trained model as the beginning of another run, with notes of its own.
Model given_model(const std::filesystem::path& file, const TrainOptions& o, const Dataset& data) {
  Model model = load_model(file);
  const std::string path = file.string();
  model.expect_images(data.images, o.dataset);
  if (model.network.shape.classes && model.network.shape.classes != data.classes)
    invalid("{} knows {} classes, {} has {}: give it the model's own data", path, model.network.shape.classes,
            o.dataset, data.classes);
  if (const std::string own = model.notes["dataset"]; own != o.dataset)
    say("{} was trained on {} and goes on with {}\n", path, own, o.dataset);
  model.notes = notes_of_run(o);
  model.embedding.expect_domain(data.images, o.dataset);
  return model;
}

}  // namespace

Model model_to_train(const TrainOptions& o, const Dataset& data, Key weights) {
  const auto values = data.images.cspan();
  if (const auto [low, high] = std::minmax_element(values.begin(), values.end()); *low == *high)
    failed("{}: every value is {}; expected images that differ", o.dataset, *low);
  const bool tunes = !o.tuned_from.empty(), goes_on = !o.from.empty();
  Model model = tunes     ? given_model(o.tuned_from, o, data)
                : goes_on ? given_model(o.from, o, data)
                          : fresh_model(o, data, weights);
  if (tunes) model.notes["consistency"] = std::to_string(o.stages);
  if (goes_on) {
    model.notes["from"] = o.from.string();
    model.edm = Edm::fitted(model.chart(data.images).value());
  }
  if (!data.note.empty()) model.notes["note"] = data.note;
  model.notes.merge(notes_of(o.treatment));
  if (!data.class_names.empty())
    model.notes["class_names"] = fmt::format("{}", fmt::join(data.class_names, "/"));
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

Index shards_of(const TrainOptions& o) {
  const Index S = o.shards ? o.shards : rank_count(), R = rank_count();
  if (S < 1 || (S & (S - 1)) || o.batch % S)
    invalid("{} shards of a batch of {} images: choose a power of two that divides the batch", S, o.batch);
  if (R > S || (R & (R - 1)))
    invalid("{} ranks for {} shards: choose a power of two that divides them", R, S);
  return S;
}

nlohmann::ordered_json config_of(const TrainOptions& o, const Dataset& data, const Edm& edm,
                                 Index parameters) {
  const bool tf32 = o.device == Device::cuda && cuda_products() == CudaProducts::tf32;
  nlohmann::ordered_json config{{"dale", version},
                                {"random_stream", random_stream_version},
                                {"bytes_a_real", sizeof(real)},
                                {"dataset", o.dataset},
                                {"data_md5", data.digests},
                                {"training_images", data.images.dim(0)},
                                {"note", data.note},
                                {"process", o.process},
                                {"data_mean", edm.mean},
                                {"data_deviation", edm.deviation},
                                {"height", data.images.dim(2)},
                                {"width", data.images.dim(3)},
                                {"classes", o.classes ? data.classes : 0},
                                {"parameters", parameters},
                                {"optimizer", o.optimizer},
                                {"decay", o.decay},
                                {"seed", o.seed},
                                {"device", str(o.device)},
                                {"precision", tf32 ? "tf32" : "full"},
                                {"arithmetic", o.device == Device::cpu ? cpu::arithmetic() : "of the device"},
                                {"threads", threads()}};
  const TrainOptions usual;
  if (const Index shards = shards_of(o); shards != 1) config["shards"] = shards;
  if (o.embedding != usual.embedding) config["embedding"] = o.embedding;
  if (o.multipliers != usual.multipliers) config["multipliers"] = joined(o.multipliers);
  if (!o.attention.empty()) config["attention"] = joined(o.attention);
  if (data.images.dim(1) != 1) config["colours"] = data.images.dim(1);
  for (const auto& [key, value] : notes_of(o.treatment)) config[key] = value;
  if (!data.class_names.empty()) config["class_names"] = fmt::format("{}", fmt::join(data.class_names, "/"));
  if (!o.from.empty()) config["from_md5"] = md5(read_file(o.from));
  if (!o.tuned_from.empty()) {
    config["consistency"] = o.stages;
    config["tuned_from_md5"] = md5(read_file(o.tuned_from));
  }
  visit_numbers(
      o, [&](const char* key, const char*, auto value, const char*, const Demand&) { config[key] = value; });
  return config;
}

void adopt(TrainOptions& o, const Model& model) {
  o.process = model.process->name();
  o.channels = model.network.shape.channels;
  o.multipliers = model.network.shape.multipliers;
  o.attention = model.attention();
  o.classes = model.network.shape.classes > 0;
  o.embedding = model.embedding.name();
  o.treatment = treatment_of(model.notes);
}

TrainOptions tuning_of(const std::filesystem::path& path) {
  const Model model = load_model(path);
  if (model.meaning != Parameterisation::denoised)
    invalid(
        "{} is of the process {}, whose network predicts the {}: consistency tunes a denoiser, of gbm or ve",
        path.string(), model.process->name(), str(model.meaning));
  TrainOptions o;
  o.tuned_from = path;
  adopt(o, model);
  return o;
}

}  // namespace dale
