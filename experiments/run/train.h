// Training: `dale train`. A run's folder (folder.h) gets config.json, metrics.csv, checkpoints, and
// model.safetensors with the averaged weights.
#pragma once

#include <cmath>
#include <nlohmann/json_fwd.hpp>

#include "experiments/data/dataset.h"
#include "experiments/run/model.h"

namespace dale {

struct TrainOptions {
  std::string dataset = "fashion-mnist", process = "gbm", data{};  // data: folder given with --data, or empty
  Treatment treatment{};                                           // of the images
  std::string embedding = "pixels";                                // diffusion/embedding.h
  std::filesystem::path out{};
  Index steps = 900, batch = 64, channels = 16, warmup = 200;
  std::vector<Index> multipliers{1, 2, 2};  // of the channels, a level of the network each
  std::vector<Index> attention{};           // heights of the levels that have self-attention
  /// Equal parts of a batch, whose gradients are taken alone and added along a binary tree: a power of two. 0
  /// is one for each rank (ranks.h).
  Index shards = 0;
  std::string optimizer = "adam";  // or "muon"
  std::string decay = "constant";  // of the learning rate: "constant", or "cosine" to 0 at the last step
  double learning_rate = 1e-3, ema = 0.999, clip = 1, dropout = 0;
  double level_mean = -0.4, level_deviation = 1.0;  // of ln s, for the processes that (IV.13) trains (loss.h)
  bool classes = false;                             // feed the labels,
  double label_dropout = 0.1;                       // each replaced by "none" with this probability
  std::filesystem::path tuned_from{};  // tune this model to consistency (diffusion/consistency.h), not train
  Index stages = 6;  // of tuning, of equal length; the two levels come closer from one to the next
  std::filesystem::path from{};  // go on from this model's weights, in a run of its own
  Index checkpoint_every = 200;
  Index sample_every = 0;  // steps between looks at what it makes (watch.h); 0: none
  bool resume = false;     // continue the run in `out`, if there is one
  std::uint64_t seed = 0;
  Device device = Device::cpu;
  std::function<void(Index)> after_step{};  // called with the number of steps done; for tests
};

/// What a number must be, and how that is said.
struct Demand {
  bool (*holds)(double);
  const char* must;
};

/// The numbers that a run is told, each once: calls f(key, option, member, name, demand) with its key in
/// config.json, its option on the command line, what it is called, and what it must be. Command line, checks
/// and config.json are made from this list. O is TrainOptions, const or not.
template <class O, class F> void visit_numbers(O& o, const F& f) {
  constexpr Demand count{[](double v) { return v >= 1 && v <= 1e9; }, "at least 1 and at most 10^9"},
      any_count{[](double v) { return v >= 0 && v <= 1e9; }, "at least 0 and at most 10^9"},
      images{[](double v) { return v >= 1 && v <= 65536; }, "at least 1 and at most 65536"},
      width{[](double v) { return v >= 8 && v <= 4096 && std::fmod(v, 8) == 0; },
            "a positive multiple of 8, at most 4096"},
      positive{[](double v) { return v > 0 && std::isfinite(v); }, "positive and finite"},
      limit{[](double v) { return v >= 0 && std::isfinite(v); }, "positive and finite, or 0 for no limit"},
      finite{[](double v) { return std::isfinite(v); }, "finite"},
      spread{[](double v) { return v > 0 && v <= 10; }, "positive and at most 10"},
      fraction{[](double v) { return v >= 0 && v < 1; }, "in [0, 1)"},
      probability{[](double v) { return v >= 0 && v <= 1; }, "in [0, 1]"};
  f("steps", "--steps", o.steps, "number of steps", count);
  f("batch", "--batch", o.batch, "number of images per batch", images);
  f("channels", "--width", o.channels, "width of the network's first level", width);
  f("learning_rate", "--lr", o.learning_rate, "learning rate", positive);
  f("warmup_steps", "--warmup", o.warmup, "number of warm-up steps", any_count);
  f("clip", "--clip", o.clip, "largest norm of the gradient", limit);
  f("ema", "--ema", o.ema, "decay of the weights' average", fraction);
  f("level_mean", "--level-mean", o.level_mean, "mean of the noise levels' logarithm", finite);
  f("level_deviation", "--level-deviation", o.level_deviation, "deviation of the noise levels' logarithm",
    spread);
  f("dropout", "--dropout", o.dropout, "probability of dropout", fraction);
  f("label_dropout", "--label-dropout", o.label_dropout, "probability of label dropout", probability);
  f("checkpoint_every", "--checkpoint-every", o.checkpoint_every, "number of steps between checkpoints",
    count);
}

struct TrainResult {
  std::filesystem::path model;
  std::vector<double> loss;           // a step each; NaN where its row of metrics.csv was lost
  double seconds, images_per_second;  // in steps, those before a resume included
  std::string note;                   // the data set's
};

/// What dale tune does unless told otherwise, with the levels of ConsistencySettings.
TrainOptions usual_tuning();
/// What training a model further has from it: process, network, classes, embedding and treatment of images.
void adopt(TrainOptions& options, const Model& model);
/// These options, to tune a model by. Throws as load_model does, and std::invalid_argument for a network
/// that is not trained to denoise.
TrainOptions tuning_of(const std::filesystem::path& model, TrainOptions options = {});
/// The model that training begins with, on the options' machine: fresh, its weights drawn with the key and
/// its statistics those of the data; the one to go on from, or to tune. Throws std::runtime_error for data
/// that the embedding does not take or that do not vary, std::invalid_argument for classes without labels,
/// and for images of another size or with other classes than a given model has; those of another data set are
/// said on stderr.
Model model_to_train(const TrainOptions& options, const Dataset& data, Key weights);

/// How many shards a batch has. Throws std::invalid_argument unless that is a power of two which divides the
/// batch, and the number of ranks one that divides it.
Index shards_of(const TrainOptions& options);

/// config.json: all that the run's bytes depend on. What could not be chosen in earlier versions is told only
/// where it is chosen, so that their runs go on.
nlohmann::ordered_json config_of(const TrainOptions& options, const Dataset& data, const Edm& edm,
                                 Index parameters);

/// The same options give the same bytes of model.safetensors, at any number of threads, and however often the
/// run was stopped and resumed, and on any number of ranks that divides the shards. With `resume` the options
/// must be those the run began with, but for threads, checkpoint_every and, where the learning rate does not
/// decay, steps. Throws std::invalid_argument for options that are not, and for an `out` that holds a run
/// when not told to resume it; std::runtime_error when the loss or a gradient is not finite, with the step
/// and the op, or a file cannot be written: the last checkpoint then stays; Stopped after SIGINT or SIGTERM,
/// with the state saved.
TrainResult train(const TrainOptions& options);

}  // namespace dale
