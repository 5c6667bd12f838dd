// Training: `dale train`. One loss (6) for every process; only the chart differs. A run's folder gets
// config.json (everything resolved), metrics.csv (a row a step) and model.safetensors (the averaged weights).
#pragma once

#include "experiments/dataset.h"
#include "experiments/model.h"

namespace dale {

struct TrainOptions {
  std::string dataset = "fashion-mnist", process = "gbm", data;  // data: folder given with --data, or empty
  std::filesystem::path out;
  Index steps = 900, batch = 64, channels = 16, warmup = 200;
  double learning_rate = 1e-3, ema = 0.999, clip = 1;
  std::uint64_t seed = 0;
  Device device = Device::cpu;
};

struct TrainResult {
  std::filesystem::path model;
  std::vector<double> loss;  // a step each
  double seconds, images_per_second;
};

/// The same options give the same bytes of model.safetensors, at any number of threads. Throws
/// std::runtime_error when the loss or a gradient is not finite, with the step and the op; what was saved
/// before stays.
TrainResult train(const TrainOptions& options);

}  // namespace dale
