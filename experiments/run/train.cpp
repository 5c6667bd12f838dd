// A step is a function of the state (weights, their average, the optimiser's moments) and of the step's
// number, from which batch, noise, dropout masks and learning rate follow. That is all there is to saving and
// resuming.
#include "experiments/run/train.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "diffusion/consistency.h"
#include "experiments/data/idx.h"
#include "experiments/run/batches.h"
#include "experiments/run/fit.h"
#include "experiments/run/folder.h"
#include "experiments/run/objective.h"
#include "experiments/run/options.h"
#include "experiments/run/start.h"
#include "experiments/run/stop.h"
#include "experiments/run/watch.h"
#include "nn/ema.h"
#include "nn/optim.h"
#include "tensor/captured.h"
#include "tensor/cpu/level.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

// Streams of the run's key.
enum : std::uint64_t { weights_stream, order_stream, noise_stream, dropout_stream, label_stream };

void check_options(const TrainOptions& o) {
  visit_numbers(o, [](const char*, const char*, auto value, const char* name, const Demand& demand) {
    if (!demand.holds(static_cast<double>(value)))
      invalid("the {} is {}; it must be {}", name, value, demand.must);
  });
  if (o.optimizer != "adam" && o.optimizer != "muon")
    unknown_name("optimizer", o.optimizer, {"adam", "muon"});
  if (o.decay != "constant" && o.decay != "cosine") unknown_name("decay", o.decay, {"constant", "cosine"});
}

/// What Muon takes: the kernels between stem and head. Biases, norms, and the layers of time and label are
/// Adam's.
bool is_inner_kernel(const NamedParameter& p) {
  return p.parameter->rank() == 4 && !p.name.starts_with("stem.") && !p.name.starts_with("head.");
}

class Training {
 public:
  Training(const TrainOptions& o, const Dataset& data)
      : o_(o),
        key_{o.seed},
        model_(model_to_train(o, data, key_.split(weights_stream))),
        all_(parameters(model_.network)),
        optimizer_(all_, {.orthogonalises =
                              [&o](const NamedParameter& p) {
                                return o.optimizer == "muon" && is_inner_kernel(p);
                              }}),
        ema_(all_, o.ema) {
    const Tensor y0 = model_.chart(data.images).value();
    Index count = 0;
    for (const auto& p : all_) count += p.parameter->size();
    config_ = config_of(o, data, model_.edm, count);
    batches_.emplace(y0, o.classes ? data.labels : IntTensor(), key_.split(order_stream), o.batch);
  }

  const nlohmann::ordered_json& config() const { return config_; }

  /// Takes the state of a checkpoint.
  void resume(const Checkpoint& from) {
    const std::string path = from.path.string();
    std::vector<std::string> free{"threads", "checkpoint_every"};
    if (o_.decay == "constant" && !tunes()) free.push_back("steps");
    const std::string& config = expect_entry(from.state.metadata, "config", from.path);
    expect_same_config(read_config(config, path), config_, free, path);
    if (from.steps > o_.steps)
      invalid("{} is beyond the {} steps asked for: choose more steps, or another --out", path, o_.steps);
    std::vector<std::pair<std::string, Tensor*>> tensors;
    visit_state([&](const std::string& name, Tensor& t) { tensors.emplace_back(name, &t); });
    assign_tensors(tensors, from.state, from.path);
    optimizer_.resume_at(from.steps);
    ema_.resume_at(from.steps);
  }

  void save(Index steps) {
    NamedTensors state;
    visit_state([&](const std::string& name, Tensor& t) { state.tensors.emplace_back(name, t); });
    state.metadata = {{"config", config_.dump()},
                      {"dale", version},
                      {"random_stream", std::to_string(random_stream_version)},
                      {"seed", std::to_string(o_.seed)},
                      {"images_seen", std::to_string(steps * o_.batch)}};
    save_checkpoint(o_.out, steps, std::move(state));
  }

  void save_weights(const std::filesystem::path& path) { save_model(path, model_, ema_.average()); }

  /// Of the step after `step` others.
  Gradients gradients(Index step) {
    const Batch batch = batches_->at(step);
    const std::uint64_t number = static_cast<std::uint64_t>(step);
    const ScoreModel model = model_.score_model(
        {labels_of(batch, number), {o_.dropout, key_.split(dropout_stream).split(number)}});
    const auto inputs = [&] {
      const LevelDistribution law{o_.level_mean, o_.level_deviation};
      const Tensor y0 = batch.images.to(o_.device);
      const Key key = key_.split(noise_stream).split(number);
      if (!tunes()) return loss_inputs(model, law, y0, key);
      const int stage = static_cast<int>(1 + step * o_.stages / o_.steps);
      return consistency_inputs(model.edm, {law}, stage, y0, key);
    };
    const std::vector<Tensor> made = capturable() ? captured_(inputs()) : loss_and_gradients(model, inputs());
    const auto [loss, norm] = read(made[0]);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      finite_step("training step", step + 1, [&] {  // under Anomaly the second time, which names the op
        grad(loss_of(model, inputs()), variables(all_));
        return Var(Tensor::full({}, std::numeric_limits<real>::quiet_NaN()));
      });
    return {loss, norm, {made.begin() + 1, made.end()}};
  }

  /// With the averaged weights.
  Model averaged() const {
    Model model = model_;
    model.network = ScoreUNet(model_.network.shape, Key{0});
    const auto own = parameters(model.network);
    for (std::size_t i = 0; i < own.size(); ++i) own[i].parameter->leaf_value() = ema_.average()[i].clone();
    return model;
  }

  Muon& optimizer() { return optimizer_; }
  Schedule schedule() const { return {o_.steps, o_.learning_rate, o_.decay, o_.warmup}; }
  void average() { ema_.update(); }

 private:
  /// Whether the loss's inputs are all that changes from step to step: dropout has a new key, and labels are
  /// checked on the host.
  bool capturable() const { return !o_.classes && o_.dropout == 0; }

  bool tunes() const { return !o_.tuned_from.empty(); }
  Var loss_of(const ScoreModel& model, const std::vector<Tensor>& inputs) const {
    return tunes() ? consistency_loss(model.network, model.edm, {}, inputs) : training_loss(model, inputs);
  }

  /// (1 + P) numbers, the loss and Σ g² of each gradient; then the P gradients.
  std::vector<Tensor> loss_and_gradients(const ScoreModel& model, const std::vector<Tensor>& inputs) const {
    const Var loss = loss_of(model, inputs);
    const Vars gradients = last_grad(loss, variables(all_));
    std::vector<Tensor> made{concat({reshape(loss.detach(), {1}), squared_norms(gradients)}, 0).value()};
    for (const Var& g : gradients) made.push_back(g.value().packed());
    return made;
  }

  /// Loss and global norm: all that the host reads of a step.
  static std::pair<double, double> read(const Tensor& numbers) {
    double squares = 0;
    const std::vector<real> values = numbers.to_vector();
    for (std::size_t i = 1; i < values.size(); ++i) squares += static_cast<double>(values[i]);
    return {static_cast<double>(values[0]), std::sqrt(squares)};
  }

  /// The labels of a batch, each replaced by "none" with the probability of label dropout.
  IntTensor labels_of(const Batch& batch, std::uint64_t step) const {
    if (!batch.labels.defined()) return {};
    std::vector<std::int32_t> labels = batch.labels.to_vector();
    const std::vector<real> dropped =
        bernoulli(key_.split(label_stream).split(step), {o_.batch}, o_.label_dropout).to_vector();
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (dropped[i] != 0) labels[i] = static_cast<std::int32_t>(model_.network.shape.classes);
    return IntTensor({o_.batch}, labels, o_.device);
  }

  /// All that a step changes.
  void visit_state(const VisitTensor& f) {
    for (const auto& p : all_) f("model." + p.name, p.parameter->leaf_value());
    ema_.visit("ema.", f);
    optimizer_.visit(f);
  }

  const TrainOptions& o_;
  Key key_;
  Model model_;
  std::vector<NamedParameter> all_;
  Muon optimizer_;  // which is Adam where it takes no kernel
  Ema ema_;
  nlohmann::ordered_json config_;
  std::optional<Batches> batches_;
  Captured captured_{
      [this](const std::vector<Tensor>& inputs) { return loss_and_gradients(model_.score_model(), inputs); }};
};

}  // namespace

TrainResult train(const TrainOptions& o) {
  check_options(o);
  if (process_named(o.process).multiplicative() && o.embedding == "log")
    invalid("the process {} multiplies what is positive, and logarithms are not: choose ve, or identity",
            o.process);
  if (!o.resume && holds_run(o.out))
    invalid("{} holds a run already: continue it with --resume, or choose another --out", o.out.string());
  const StopSignals signals;
  const Dataset data = load_dataset(o.dataset, o.data, Split::train, o.treatment);
  Training training(o, data);
  make_folder(o.out);
  const FolderLock lock(o.out);
  const std::optional<Checkpoint> last = o.resume ? last_checkpoint(o.out) : std::nullopt;
  if (o.resume && !last && holds_run(o.out))
    invalid("{} holds a model.safetensors but no checkpoint to continue from: choose another --out",
            o.out.string());
  if (last) training.resume(*last);
  const Index first = last ? last->steps : 0;
  write_file(o.out / "config.json", training.config().dump(2) + "\n");
  Metrics metrics(o.out, first);

  std::optional<Watch> watch;
  if (o.sample_every) watch.emplace(o, first);

  Progress bar(o.dataset + " " + o.process, o.steps, "images", o.batch, first);
  const Schedule schedule = training.schedule();
  std::chrono::steady_clock::time_point start;
  const auto gradients = [&](Index step) {
    start = std::chrono::steady_clock::now();
    return training.gradients(step);
  };
  const auto after = [&](Index done, const Gradients& g) {
    training.average();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    metrics.append({g.loss, g.norm, schedule.at(done - 1), static_cast<double>(o.batch) / seconds});
    if (o.after_step) o.after_step(done);
    const int signal = signals.received();
    if (signal || done % o.checkpoint_every == 0 || done == o.steps) {
      metrics.sync();
      training.save(done);
    }
    const auto stop = [&](int by) {
      throw Stopped(by,
                    fmt::format("stopped by {} after step {} of {}; {} is saved and --resume continues it",
                                by == SIGINT ? "SIGINT" : "SIGTERM", done, o.steps, o.out.string()));
    };
    if (signal) stop(signal);
    if (watch && done % o.sample_every == 0) try {
        Model averaged = training.averaged();
        watch->look(done, averaged);
      } catch (const Stopped& stopped) {
        training.save(done);
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
  training.save_weights(result.model);
  return result;
}

}  // namespace dale
