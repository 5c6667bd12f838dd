// The numbers that a training run is told, each once: its key in config.json, its option on the command line,
// what it is called, and what it must be. Command line, checks and config.json are made from this list.
#pragma once

#include "experiments/run/train.h"

namespace dale {

/// What a number must be, and how that is said.
struct Demand {
  bool (*holds)(double);
  const char* must;
};

/// Calls f(key, option, member, name, demand) for each. O is TrainOptions, const or not.
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

}  // namespace dale
