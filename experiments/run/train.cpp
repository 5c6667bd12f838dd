#include "experiments/run/train.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/info.h"
#include "experiments/run/stop.h"
#include "experiments/run/training.h"
#include "experiments/run/watch.h"
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

void check_options(const TrainOptions& o) {
  visit_numbers(o, [](const char*, const char*, auto value, const char* name, const Demand& demand) {
    if (!demand.holds(static_cast<double>(value)))
      invalid("the {} is {}; it must be {}", name, value, demand.must);
  });
  if (o.optimizer != "adam" && o.optimizer != "muon")
    unknown_name("optimizer", o.optimizer, {"adam", "muon"});
  if (o.decay != "constant" && o.decay != "cosine") unknown_name("decay", o.decay, {"constant", "cosine"});
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
  return {.steps = 3600,
          .batch = 16,
          .decay = "cosine",
          .level_mean = law.mean,
          .level_deviation = law.deviation};
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

TrainOptions tuning_of(const std::filesystem::path& path, TrainOptions o) {
  const Model model = load_model(path);
  if (model.meaning != Parameterisation::denoised)
    invalid(
        "{} is of the process {}, whose network predicts the {}: consistency tunes a denoiser, of gbm or ve",
        path.string(), model.process->name(), str(model.meaning));
  o.tuned_from = path;
  adopt(o, model);
  return o;
}

TrainResult train(const TrainOptions& o) {
  check_options(o);
  if (process_named(o.process).multiplicative() && o.embedding == "log")
    invalid("the process {} multiplies what is positive, and logarithms are not: choose ve, or identity",
            o.process);
  const bool writes = rank() == 0;
  if (writes && !o.resume && holds_run(o.out))
    invalid("{} holds a run already: continue it with --resume, or choose another --out", o.out.string());
  const StopSignals signals;
  const Dataset data = load_dataset(o.dataset, o.data, Split::train, o.treatment);
  Training training(o, data);
  nlohmann::ordered_json same = training.config();
  same.erase("threads");
  expect_alike(fmt::format("{} {}", study_sources, same.dump()), "sources, options or data");
  std::optional<FolderLock> lock;
  if (writes) {
    make_folder(o.out);
    lock.emplace(o.out);
  }
  const std::optional<Checkpoint> last = writes && o.resume ? last_checkpoint(o.out) : std::nullopt;
  if (writes && o.resume && !last && holds_run(o.out))
    invalid("{} holds a model.safetensors but no checkpoint to continue from: choose another --out",
            o.out.string());
  const Index first = training.resume(last);
  if (writes) write_file(o.out / "config.json", training.config().dump(2) + "\n");
  Metrics metrics(writes ? o.out : std::filesystem::path(), first);
  if (rank_count() > 1 && !o.shards)
    say("{0} ranks, a shard each: one process makes the same bytes with --shards {0}\n", rank_count());

  std::optional<Watch> watch;
  if (o.sample_every) watch.emplace(o, first);

  Progress bar(o.dataset + " " + o.process, o.steps, "images", o.batch, first);
  const Schedule schedule = training.schedule();
  double start = 0;
  const auto gradients = [&](Index step) {
    start = bar.seconds();
    return training.gradients(step);
  };
  const auto after = [&](Index done, const Gradients& g) {
    training.average();
    const double images_per_second = static_cast<double>(o.batch) / (bar.seconds() - start);
    metrics.append({g.loss, g.norm, schedule.at(done - 1), images_per_second});
    if (o.after_step) o.after_step(done);
    const int signal = largest_of_ranks(signals.received());
    if (signal || done % o.checkpoint_every == 0 || done == o.steps) {
      training.expect_alike_weights(done);
      metrics.sync();
      if (writes) training.save(done);
    }
    const auto stop = [&](int by) {
      throw Stopped(by, fmt::format("after step {} of {}; {} is saved and --resume continues it", done,
                                    o.steps, o.out.string()));
    };
    if (signal) stop(signal);
    if (watch && done % o.sample_every == 0) try {
        Model averaged = training.averaged();
        watch->look(done, averaged);
      } catch (const Stopped& stopped) {
        if (writes) training.save(done);
        stop(stopped.signal);
      }
  };
  fit(training.optimizer(), schedule, o.clip, bar, gradients, after, first);

  TrainResult result{o.out / "model.safetensors", {}, 0, 0, data.note};
  Index timed = 0;
  for (const MetricsRow& row : metrics.rows()) {
    result.loss.push_back(row.loss);
    if (std::isnan(row.images_per_second)) continue;
    result.seconds += static_cast<double>(o.batch) / row.images_per_second;
    ++timed;
  }
  result.images_per_second = static_cast<double>(timed * o.batch) / result.seconds;
  if (writes) training.save_weights(result.model);
  told_by_first(0);  // no rank leaves before the model is there
  return result;
}

}  // namespace dale
