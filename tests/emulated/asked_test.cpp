// What the host asks of the device, step by step: that what is done over and over is a graph, and where it
// waits.
#include "diffusion/sampler.h"
#include "experiments/run/sample.h"
#include "tensor/cuda/launch.h"
#include "tests/steps.h"
#include "tests/workplace.h"

using namespace dale;

namespace {

emulated::Asked asked_by(const std::function<void()>& work) {
  emulated::asked = {};
  work();
  return emulated::asked;
}

}  // namespace

TEST_CASE("a training step is a replayed graph, whatever it is told and however it follows",
          "[machines][emulated][captured]") {
  const QuickProducts quick;
  const Folder folder;
  for (TrainOptions o : told_trainings(folder, Device::cuda)) {
    INFO(o.process << " by " << o.optimizer << (o.tuned_from.empty() ? "" : ", tuned"));
    Training training(o, told_images());
    long first = 0;
    for (Index step = 0; step < 5; ++step) {
      const emulated::Asked asked = asked_by([&] {
        const Gradients g = training.gradients(step);
        training.optimizer().step(g.of_weights, 1e-3);
        training.average();
      });
      if (step == 0) first = asked.works;
      INFO(fmt::format("step {}: {} works, {} graphs", step, asked.works, asked.graphs));
      const long shards = std::max<Index>(1, o.shards), muon = o.optimizer == "muon";
      CHECK(asked.graphs == (step == 0 ? shards - 1 : shards + muon));  // the second shard is recorded
      if (step > 0) CHECK(asked.waits == (shards == 1 ? 1 : shards + 2));
      if (step > 1) CHECK(asked.works < (shards > 1 ? first / 2 : muon ? 150 : 60));
      if (step == 4)
        fmt::print("{} by {}: {} launches and copies plainly, {} beside {} graphs\n", o.process, o.optimizer,
                   first, asked.works, asked.graphs);
    }
  }
}

TEST_CASE("a sampler waits for the device as often for many steps as for few",
          "[machines][emulated][captured]") {
  const Denoiser D = [](const Var& y, double) { return 0.5 * y; };
  const GeometricBrownianMotion gbm;
  const Var start = normal({}, {2, 3}, 0, Device::cuda);
  const auto waits = [&](int steps) {
    const auto levels = edm_levels(steps, 0.01, 10);
    std::vector<long> all;
    const auto add = [&](const std::function<void()>& work) { all.push_back(asked_by(work).waits); };
    add([&] { ddim(D, start, levels); });
    add([&] { take_steps(D, start, ancestral_steps(levels), Key{1}); });
    add([&] { heun(D, start, levels); });
    add([&] { dpm_solver(D, start, levels); });
    add([&] { stochastic_heun(D, start, levels, {}, Key{1}); });
    add([&] { take_steps(D, start, uniform_steps(gbm, {steps, 0, 2}), Key{1}); });
    add([&] {
      euler_maruyama(
          gbm, [](const Var& x, double) { return -x; }, exp(start), steps, Key{1});
    });
    add([&] { unconstrained(score_of(D, gbm), start, gbm, {steps}, Key{1}); });
    return all;
  };
  CHECK(waits(3) == std::vector<long>{1, 1, 1, 1, 1, 1, 1, 2});
  CHECK(waits(40) == waits(3));
}

TEST_CASE("guided samples of a class: two graphs an evaluation, and waits by the batch",
          "[machines][emulated][captured]") {
  const QuickProducts quick;
  const Folder folder;
  const TrainOptions o = told_trainings(folder, Device::cuda)[0];
  Model model = saying_little(Training(o, told_images()).averaged());
  const auto asked = [&](int steps) {
    return asked_by([&] {
      sample(model, {.sampler = "dpm-solver",
                     .steps = steps,
                     .count = 3,
                     .batch = 2,
                     .classes = {1, 0, 2},
                     .guidance = 2,
                     .device = Device::cuda});
    });
  };
  const emulated::Asked few = asked(3), many = asked(7);
  CHECK(few.waits == many.waits);
  fmt::print("guided DPM-Solver++: {} launches and copies a step beside 2 graphs\n",
             static_cast<double>(many.works - few.works) / (2 * (7 - 3)));
  // In a batch the first evaluations of each network are made plainly; images of two sizes of batch.
  CHECK(few.graphs == 2 * 2 * (3 - 1));
  CHECK(many.graphs == 2 * 2 * (7 - 1));
}
