// What tests of captured functions and steps share; and trainings that are told labels and dropout masks.
#pragma once

#include "experiments/run/training.h"
#include "tests/compare.h"
#include "tests/folder.h"
#include "tests/machines.h"

namespace dale {

using Tensors = std::vector<Tensor>;

/// Of tensors or variables.
template <class T> std::vector<Values> values(const std::vector<T>& all) {
  std::vector<Values> out;
  for (const T& x : all) out.push_back(values(Var(x)));
  return out;
}

inline Tensor random(std::uint64_t n, const Shape& shape, Device device) {
  return normal(Key{n}, shape, 0, device);
}

/// Takes blocks of all sizes, fills them and gives them back: what a function left free is then written over.
inline void disturb(Device device) {
  Tensors taken;
  for (int repeat = 0; repeat < 3; ++repeat)
    for (Index n = 1; n <= 1 << 14; n *= 2)
      taken.push_back(Tensor::full({n}, std::numeric_limits<real>::quiet_NaN(), device));
}

/// Emulated, the convolutions' tiles are slow, and tested elsewhere.
struct QuickProducts : Products {
  QuickProducts()
      : Products(column(machines().back()) == "emulated" ? CudaProducts::plain : CudaProducts::full) {}
};

/// 8 images of 8 × 8 in three classes.
inline const Dataset& told_images() {
  static const Dataset data{.name = "told",
                            .folder = {},
                            .images = uniform(Key{7}, {8, 1, 8, 8}),
                            .labels = IntTensor({8}, {0, 1, 2, 0, 1, 2, 0, 1}),
                            .classes = 3};
  return data;
}

/// By every loss, and in shards: EDM's, the paper's, that of noise, and tuning.
inline std::vector<TrainOptions> told_trainings(const Folder& folder, Device device) {
  const TrainOptions o{.dataset = "told",
                       .batch = 4,
                       .channels = 8,
                       .dropout = 0.2,
                       .classes = true,
                       .seed = 5,
                       .device = device};
  std::vector<TrainOptions> all(5, o);
  all[0].optimizer = "muon";
  all[1].process = "gbm-paper";
  all[2].process = "vp";
  all[3].shards = 2;
  all[4].tuned_from = folder / "model.safetensors";
  Training(all[0], told_images()).save_weights(all[4].tuned_from);
  return all;
}

}  // namespace dale
