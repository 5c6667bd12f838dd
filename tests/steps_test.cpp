// What is done step by step, on every machine: training and sampling on the device, captured, are those of
// the CPU to rounding; and a step that leaves the finite numbers is named.
#include "tests/steps.h"

#include <optional>

#include "diffusion/consistency.h"
#include "experiments/run/sample.h"
#include "tensor/cpu/parallel.h"
#include "tensor/npy.h"

using namespace dale;

TEST_CASE("steps told labels and masks: captured they are the plain ones, and the CPU's to rounding",
          "[machines][captured][train]") {
  const QuickProducts quick;
  const Folder folder;
  std::vector<std::vector<double>> norms;
  for (Device device : machines()) {
    std::vector<double>& own = norms.emplace_back();
    const std::vector<TrainOptions> all = told_trainings(folder, device);
    for (const TrainOptions& o : all) {
      INFO(column(device) << ", " << o.process << ", shards " << o.shards << ", tuned " << o.tuned_from);
      Training training(o, told_images());
      Values before;
      for (Index step = 0; step < 4; ++step) {
        const Gradients g = training.gradients(step);
        const std::vector<Values> captured = values(g.of_weights);
        {
          const Anomaly watch;  // under which nothing is captured
          CHECK(captured == values(training.gradients(step).of_weights));
        }
        CHECK(std::exchange(before, captured[0]) != captured[0]);
        own.insert(own.end(), {g.loss, g.norm});
        training.optimizer().step(g.of_weights, 1e-3);
        disturb(device);
      }
    }
    for (std::size_t i = 0; i < own.size(); ++i) CHECK(own[i] == Approx(norms[0][i]).epsilon(1e-3));
    // Labels are looked at before they are captured.
    Dataset data = told_images();
    data.labels = IntTensor({8}, {0, 1, 2, 0, 3, 2, 0, 1});
    TrainOptions o = all[0];
    o.batch = 8;
    REFUSES(Training(o, data).gradients(0), "an image has label 3; expected 0 to 2");
  }
}

TEST_CASE("Muon's captured step is its plain one, and the CPU's to rounding", "[machines][captured]") {
  const auto ends = [](Device device, bool plainly) {
    Var w = parameter(random(1, {8, 2, 3, 3}, device)), b = parameter(random(2, {8}, device)),
        tall = parameter(random(3, {9, 4}, device));
    Muon muon({{"w", &w}, {"b", &b}, {"tall", &tall}});
    for (std::uint64_t n = 0; n < 5; ++n) {
      std::optional<Anomaly> watch;  // under which nothing is captured
      if (plainly) watch.emplace();
      Vars g;
      for (const Var* p : {&w, &b, &tall}) g.push_back(random(10 * n + g.size(), p->shape(), device));
      muon.step(g, 0.1 / static_cast<double>(n + 1), 0.5);
      disturb(device);
    }
    Tensors all{w.value(), b.value(), tall.value()};
    muon.visit([&](const std::string&, Tensor& t) { all.push_back(t); });
    return all;
  };
  ON_EVERY_MACHINE();
  const Tensors captured = ends(device, false), on_cpu = ends(Device::cpu, false);
  CHECK(values(captured) == values(ends(device, true)));
  for (std::size_t i = 0; i < captured.size(); ++i) CHECK(gap(captured[i], on_cpu[i]) < 1e-4);
  Var w = parameter(random(1, {8, 2, 3, 3}, device));
  const Var no_number = Tensor::full(w.shape(), std::numeric_limits<real>::quiet_NaN(), device);
  const Anomaly watch;
  REFUSES(Muon({{"w", &w}}).step({no_number}, 0.1), "[multiply] made a value that is not finite");
}

TEST_CASE("a sampler whose network leaves the finite numbers names the first step, and the op",
          "[machines][sampler][errors]") {
  ON_EVERY_MACHINE();
  const GeometricBrownianMotion gbm;
  const auto levels = edm_levels(6, 0.01, 10);
  const Var start = random(1, {2, 3}, device);
  const auto until = [&](double least) -> Denoiser {  // and what follows shows nothing of it
    return [least](const Var& y, double s) {
      if (s == least) return log(-1 - square(y));
      return Var(Tensor::full(y.shape(), 0.5, y.device()));
    };
  };
  const Denoiser D = until(levels[2]);
  const std::string third = "sampling step 3: [log] made a value that is not finite; input shapes (2,3)",
                    second = "sampling step 2: [log] made a value that is not finite; input shapes (2,3)";
  REFUSES(ddim(D, start, levels), third);
  REFUSES(take_steps(D, start, consistency_steps(levels), Key{1}), third);
  REFUSES(heun(D, start, levels), second);  // which asks at both ends
  REFUSES(dpm_solver(D, start, levels), third);
  REFUSES(stochastic_heun(until(levels[3]), start, levels, {0}, Key{1}), third);
  const SteinScore score = [](const Var& x, double t) { return t < 0.6 ? log(x - 1e6) : -x; };
  REFUSES(euler_maruyama(gbm, score, exp(start), 6, Key{1}), "sampling step 4: [log] made a value");
  REFUSES(unconstrained(score, start, gbm, {6}, Key{1}), "sampling step 4: [log] made a value");
  // Networks that are captured step aside for the run that is watched.
  const Network network = captured([](const Var& x, const Var& t) {
    return log(x - 0 * reshape(t, {2, 1}));
  });
  const Denoiser deep = [&](const Var& y, double s) {
    return network(y - (s < 1 ? 1e6 : -1e6), Tensor::full({2}, s, y.device()));
  };
  REFUSES(ddim(deep, start, edm_levels(40, 0.01, 10)), "[log] made a value");
  // An error that a step which is not finite brings about later is that step's.
  const Denoiser strict = [](const Var& y, double) {
    if (!all_finite(y.value())) throw std::range_error("asked for what is not finite");
    return log(y);
  };
  REFUSES(ddim(strict, Var(Tensor::full({2, 3}, 1, device)), levels), third);
}

TEST_CASE("train and sample: the device's are the CPU's to rounding, and twice the same bytes",
          "[machines][train]") {
  const Folder folder;
  write_npy(folder / "images.npy", uniform(Key{7}, {6, 1, 8, 8}));
  // Three steps: plainly, recorded and replayed, replayed.
  TrainOptions o{
      .dataset = folder / "images.npy", .steps = 3, .batch = 2, .channels = 8, .warmup = 2, .seed = 5};
  for (const std::string process : {"gbm", "gbm-paper"}) {
    TrainResult on_cpu;
    Tensor cpu_images;
    for (Device device : machines()) {
      INFO(column(device) << ", " << process);
      const QuickProducts quick;
      std::vector<std::string> weights;
      Tensors images;
      for (int run = 0; run < (process == "gbm" ? 2 : 1); ++run) {
        o.out = folder / fmt::format("{}-{}-{}", process, str(device), run);
        o.device = device;
        o.process = process;
        const TrainResult r = train(o);
        weights.push_back(read_file(r.model));
        if (device == Device::cpu) on_cpu = r;
        for (std::size_t i = 0; i < r.loss.size(); ++i)
          CHECK(r.loss[i] == Approx(on_cpu.loss[i]).epsilon(1e-3));
        const SampleOptions s{.steps = 2, .count = 3, .batch = 2, .device = device};
        Model model = load_model(on_cpu.model);
        images.push_back(sample(model, s).images);
        if (device == Device::cpu) cpu_images = images[0];
        CHECK(gap(images.back(), cpu_images) <= 2e-3);
      }
      CHECK(weights.front() == weights.back());
      CHECK(values(Var(images.front())) == values(Var(images.back())));
    }
  }
  // A step that is not finite is told by its op, from a graph too, and no model is saved.
  o.process = "gbm";
  o.learning_rate = 1e30;
  o.warmup = 0;
  for (Device device : machines()) {
    const QuickProducts quick;
    o.out = folder / fmt::format("far-{}", str(device));
    o.device = device;
    CHECK_THROWS_WITH(train(o), Contains("training step 2: [") && Contains("not finite"));
    CHECK(!fs::exists(o.out / "model.safetensors"));
  }
}

TEST_CASE("shards: one is the run without, more are the mean of their gradients at any number of threads",
          "[train][errors]") {  // in one process; tests/ranks.sh has them in many
  const Folder w;
  write_npy(w / "images.npy", uniform(Key{7}, {48, 1, 8, 8}));
  const auto run = [&](const std::string& name, Index shards, double dropout = 0, Index batch = 8) {
    TrainOptions o{.dataset = w / "images.npy", .out = w / name, .steps = 6, .batch = batch, .channels = 8};
    o.shards = shards;
    o.dropout = dropout;
    return train(o).loss;
  };
  const auto model = [&](const char* name) { return read_file(w / name / "model.safetensors"); };
  const std::vector<double> plain = run("plain", 0), one = run("one", 1), four = run("four", 4);
  CHECK(model("one") == model("plain"));
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(four[i] == Approx(plain[i]).epsilon(1e-4));
  run("dropped", 4, 0.3);
  set_threads(1);
  run("dropped again", 4, 0.3);
  set_threads(2);
  CHECK(model("dropped") == model("dropped again"));
  for (Index shards : {2, 3, 8})
    REFUSES(run("bad", shards, 0, 5),
            fmt::format("{} shards of a batch of 5 images: choose a power of two", shards));
}
