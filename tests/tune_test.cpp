// Chapter V: tuning a trained denoiser to consistency, and sampling by it.
#include <csignal>

#include "experiments/run/sample.h"
#include "experiments/run/stop.h"
#include "experiments/run/train.h"
#include "tensor/npy.h"
#include "tests/folder.h"

using namespace dale;

TEST_CASE("tuning to consistency: resumed it is the run that was never stopped, and it samples", "[train]") {
  const Folder folder;
  const fs::path& path = folder.path;
  write_npy(path / "images.npy", uniform(Key{7}, {48, 1, 8, 8}));
  write_npy(path / "larger.npy", uniform(Key{7}, {48, 1, 12, 12}));
  const auto options = [&](TrainOptions o, const char* run) {
    o.dataset = path / "images.npy";
    o.out = path / run;
    o.steps = 8, o.batch = 5, o.channels = 8, o.checkpoint_every = 3, o.warmup = 4, o.stages = 3;
    o.dropout = 0.2;
    return o;
  };
  const fs::path denoiser = train(options({}, "model")).model;
  const TrainOptions tuning = tuning_of(denoiser);
  Model whole = load_model(train(options(tuning, "whole")).model);
  TrainOptions o = options(tuning, "cut");
  o.after_step = [](Index step) {
    if (step == 4) std::raise(SIGINT);
  };
  CHECK_THROWS_AS(train(o), Stopped);
  Model half = load_model(path / "cut" / "checkpoint-00000004.safetensors");
  CHECK(half.consistent());
  o.after_step = {};
  o.resume = true;
  const std::string cut = read_file(train(o).model);
  CHECK((cut == read_file(path / "whole" / "model.safetensors")));
  CHECK((cut != read_file(denoiser)));
  for (int steps : {1, 2}) {
    const SampleOptions s{.sampler = "consistency", .steps = steps, .count = 3};
    CHECK(sample(whole, s).evaluations == steps);
  }
  REFUSES(sample(whole, {.sampler = "consistency", .steps = 3, .count = 3, .between = {1, 2}}), "must fall");
  REFUSES(sample(whole, {.sampler = "ddim"}), "the sampler ddim is not for this model");
  Model untuned = load_model(denoiser);
  REFUSES(sample(untuned, {.sampler = "consistency"}), "the sampler consistency is not for this model");
  TrainOptions paper = options({}, "paper");
  paper.process = "gbm-paper";
  REFUSES(tuning_of(train(paper).model), "whose network predicts the stein: consistency tunes a denoiser");
  TrainOptions other = options(tuning, "other");
  other.dataset = path / "larger.npy";
  REFUSES(train(other), "tune with images of the model's size");
}
