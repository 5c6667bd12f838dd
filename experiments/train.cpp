#include "experiments/train.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "autograd/anomaly.h"
#include "diffusion/loss.h"
#include "experiments/progress.h"
#include "nn/ema.h"
#include "nn/optim.h"
#include "tensor/cpu/parallel.h"
#include "tensor/file.h"

namespace dale {
namespace {

// Streams of the run's key.
enum : std::uint64_t { weights_stream, order_stream, noise_stream };

/// Indices of the images of one step: epochs follow one another, each in an order of its own, and a batch may
/// span two.
class Batches {
 public:
  Batches(Key key, Index images, Index batch) : key_(key), images_(images), batch_(batch) {}

  IntTensor at(Index step, Device device) {
    std::vector<std::int32_t> picked;
    for (Index i = step * batch_; i < (step + 1) * batch_; ++i) {
      if (i / images_ != epoch_) {
        epoch_ = i / images_;
        order_ = permutation(key_.split(static_cast<std::uint64_t>(epoch_)), images_);
      }
      picked.push_back(order_[static_cast<std::size_t>(i % images_)]);
    }
    return IntTensor({batch_}, picked, device);
  }

 private:
  Key key_;
  Index images_, batch_, epoch_ = -1;
  std::vector<std::int32_t> order_;
};

void check_options(const TrainOptions& o) {
  if (o.steps < 1 || o.batch < 1)
    invalid("training needs at least 1 step and 1 image a batch, not {} and {}", o.steps, o.batch);
  if (!(o.learning_rate > 0)) invalid("the learning rate is {}; it must be positive", o.learning_rate);
  if (o.ema < 0 || o.ema >= 1)
    invalid("the decay of the weights' average is {}; it must be in [0, 1)", o.ema);
  if (o.channels < 1 || o.channels % 8)
    invalid("the width is {}; it must be a positive multiple of 8", o.channels);
}

nlohmann::ordered_json config_of(const TrainOptions& o, const Edm& edm, Index images, Index parameters) {
  return {{"dale", version},
          {"random_stream", random_stream_version},
          {"dataset", o.dataset},
          {"training_images", images},
          {"process", o.process},
          {"data_mean", edm.mean},
          {"data_deviation", edm.deviation},
          {"channels", o.channels},
          {"parameters", parameters},
          {"steps", o.steps},
          {"batch", o.batch},
          {"learning_rate", o.learning_rate},
          {"warmup_steps", o.warmup},
          {"clip", o.clip},
          {"ema", o.ema},
          {"seed", o.seed},
          {"device", str(o.device)},
          {"threads", threads()}};
}

/// The loss that goes with a network's meaning: (6); the paper's with its weight s⁴, at times i/1000, i = 1 …
/// 1000, the ones its sampler visits; or the noise's mean squared error at uniform times (Ho et al. 2020).
/// The last two are (5), doubled.
Var loss_of_batch(const ScoreModel& model, const Tensor& y0, Key key) {
  if (model.meaning == Parameterisation::denoised) return denoising_loss(model.network, model.edm, y0, key);
  const bool paper = model.meaning == Parameterisation::stein;
  std::vector<double> t;
  for (std::int32_t i : integers(key.split(0), {y0.dim(0)}, 1, 1001).to_vector())
    t.push_back(model.process->T() * i / 1000);
  const Var z = normal(key.split(1), y0.shape(), 0, y0.device());
  return 2 * score_matching_loss(model, paper ? Weight::paper : Weight::noise, y0, t, z);
}

struct Step {
  double loss, gradient_norm;
  Vars gradients;
};

/// Loss and gradients, both finite, or std::runtime_error with the step and the op that made the first bad
/// value.
Step loss_and_gradients(const std::function<Var()>& loss_of, const Vars& xs, Index number) {
  const Var loss = finite_step("training step", number, loss_of);
  Step step{static_cast<double>(loss.item()), 0, last_grad(loss, xs)};
  step.gradient_norm = global_norm(step.gradients);
  if (!std::isfinite(step.gradient_norm))
    finite_step("training step", number, [&] {
      grad(loss_of(), xs);  // under Anomaly the second time, which names the op
      return Var(Tensor::full({}, std::numeric_limits<real>::quiet_NaN()));
    });
  return step;
}

}  // namespace

TrainResult train(const TrainOptions& o) {
  check_options(o);
  const Process& process = process_named(o.process);
  const Tensor y0 =
      process.chart(embed_pixels(load_dataset(o.dataset, o.data, Split::train).images)).value().to(o.device);
  make_folder(o.out);

  const Key key{o.seed};
  Model model{
      &process, Edm::fitted(y0), customary(process), ScoreUNet({o.channels}, key.split(weights_stream)), {}};
  model.notes = {
      {"dataset", o.dataset}, {"steps", std::to_string(o.steps)}, {"seed", std::to_string(o.seed)}};
  model.to(o.device);
  const auto all = parameters(model.network);
  Index count = 0;
  for (const auto& p : all) count += p.parameter->size();
  write_file(o.out / "config.json", config_of(o, model.edm, y0.dim(0), count).dump(2) + "\n");

  Adam adam(all);
  Ema ema(all, o.ema);
  Batches batches(key.split(order_stream), y0.dim(0), o.batch);
  const ScoreModel score_model = model.score_model();
  std::string metrics = "step,loss,gradient_norm,learning_rate,images_per_second\n";
  TrainResult result{o.out / "model.safetensors", {}, 0, 0};
  Progress bar(o.dataset + " " + o.process, o.steps, "images", o.batch);
  for (Index step = 0; step < o.steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const Tensor batch = raw::gather(y0, batches.at(step, o.device));
    Vars xs;
    for (const auto& p : all) xs.push_back(*p.parameter);
    const auto loss_of = [&] {
      return loss_of_batch(score_model, batch,
                           key.split(noise_stream).split(static_cast<std::uint64_t>(step)));
    };
    const Step s = loss_and_gradients(loss_of, xs, step + 1);
    const double rate =
        o.learning_rate * std::min(1.0, static_cast<double>(step + 1) / std::max<Index>(1, o.warmup));
    adam.step(s.gradients, rate, clip_scale(s.gradient_norm, o.clip));
    ema.update();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    metrics += fmt::format("{},{:.9g},{:.9g},{:.9g},{:.1f}\n", step + 1, s.loss, s.gradient_norm, rate,
                           static_cast<double>(o.batch) / seconds);
    result.loss.push_back(s.loss);
    bar.update(step + 1, fmt::format("loss {:.4f}", s.loss));
  }
  result.seconds = bar.seconds();
  result.images_per_second = static_cast<double>(o.steps * o.batch) / result.seconds;
  write_file(o.out / "metrics.csv", metrics);
  save_model(result.model, model, ema.average());
  return result;
}

}  // namespace dale
