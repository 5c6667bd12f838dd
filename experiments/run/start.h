// What training begins with: a model, and the whole of its options on paper.
#pragma once

#include <nlohmann/json.hpp>

#include "experiments/run/train.h"

namespace dale {

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

}  // namespace dale
