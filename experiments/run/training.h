// A step is a function of the state (weights, their average, the optimiser's moments) and of the step's
// number, from which batch, noise, dropout masks and learning rate follow. That is all there is to saving and
// resuming.
//
// Loss and gradients of a batch of B images in S shards, g_i that of shard i alone, are
//   g = (g_0 + g_1 + … + g_{S−1}) / S,   added by halves:  ((g_0 + g_1) + (g_2 + g_3)) + …
// One process takes all shards in turn; of R ranks (ranks.h) each takes S/R, and the upper log₂ R levels of
// the tree are exchanges. The sum has the same order either way, and so the same bits.
#pragma once

#include <nlohmann/json.hpp>

#include "diffusion/consistency.h"
#include "experiments/data/idx.h"
#include "experiments/run/batches.h"
#include "experiments/run/fit.h"
#include "experiments/run/folder.h"
#include "experiments/run/objective.h"
#include "experiments/run/ranks.h"
#include "experiments/run/train.h"
#include "nn/optim.h"
#include "tensor/captured.h"
#include "tensor/verbs.h"

namespace dale {

/// What Muon takes: the kernels between stem and head. Biases, norms, and the layers of time and label are
/// Adam's.
inline bool is_inner_kernel(const NamedParameter& p) {
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
    const Index n = o.batch / shards_, layers = model_.network.dropouts();
    if (o.classes) condition_.labels = IntTensor({n}, o.device);
    if (o.dropout > 0) condition_.dropout = {o.dropout, IntTensor({layers, 4}, o.device)};
    batches_.emplace(y0, o.classes ? data.labels : IntTensor(), key_.split(order_stream), o.batch);
  }

  const nlohmann::ordered_json& config() const { return config_; }

  /// Takes the state of a checkpoint, which rank 0 has, if any; the steps behind it.
  Index resume(const std::optional<Checkpoint>& from) {
    const Index steps = told_by_first(from ? from->steps : 0);
    if (!steps) return 0;
    std::vector<std::pair<std::string, Tensor*>> tensors;
    visit_state([&](const std::string& name, Tensor& t) { tensors.emplace_back(name, &t); });
    if (from) {
      const std::string path = from->path.string();
      std::vector<std::string> free{"threads", "checkpoint_every"};
      if (o_.decay == "constant" && !tunes()) free.push_back("steps");
      const std::string config = expect_entry(from->state.metadata, "config", from->path);
      expect_same_config(read_config(config, path), config_, free, path);
      if (steps > o_.steps)
        invalid("{} is beyond the {} steps asked for: choose more steps, or another --out", path, o_.steps);
      assign_tensors(tensors, from->state, from->path);
    }
    for (const auto& [name, tensor] : tensors) tell_from_first(*tensor);
    optimizer_.resume_at(steps);
    ema_.resume_at(steps);
    return steps;
  }

  /// Throws std::runtime_error unless the averaged weights are the same on all ranks.
  void expect_alike_weights(Index step) {
    if (rank_count() == 1) return;
    std::string bytes;
    for (const Tensor& t : ema_.average()) bytes += tensor_bytes(t, sizeof(real));
    expect_alike(md5(bytes), fmt::format("weights after step {}", step));
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
    const std::vector<std::int32_t> labels = labels_of(batch, static_cast<std::uint64_t>(step));
    const std::vector<Tensor> inputs = inputs_of(batch, step);
    const Key masks = key_.split(dropout_stream).split(static_cast<std::uint64_t>(step));
    const auto of_shard = [&](Index shard) {
      const Index n = o_.batch / shards_, first = shard * n;
      if (o_.classes) condition_.labels.write({labels.begin() + first, labels.begin() + first + n});
      if (o_.dropout > 0)
        condition_.dropout.states.write(
            Dropout::words(shards_ == 1 ? masks : masks.split(static_cast<std::uint64_t>(shard)),
                           model_.network.dropouts()));
      std::vector<Tensor> some;
      for (const Tensor& x : inputs) some.push_back(x.slice(0, first, first + n).packed());
      return checked_gradients(some, step);
    };
    if (shards_ == 1) return of_shard(0);
    const Index mine = shards_ / rank_count();
    return unpacked(sum_over_ranks(sum_of_shards(of_shard, rank() * mine, mine)));
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
  // Streams of the run's key.
  enum : std::uint64_t { weights_stream, order_stream, noise_stream, dropout_stream, label_stream };

  bool tunes() const { return !o_.tuned_from.empty(); }
  Var loss_of(const std::vector<Tensor>& inputs) const {
    const ScoreModel model = model_.score_model(condition_);
    return tunes() ? consistency_loss(model.network, model.edm, {}, inputs) : training_loss(model, inputs);
  }

  /// (1 + P) numbers, the loss and Σ g² of each gradient; then the P gradients.
  std::vector<Tensor> loss_and_gradients(const std::vector<Tensor>& inputs) const {
    const Var loss = loss_of(inputs);
    const Vars gradients = last_grad(loss, variables(all_));
    std::vector<Tensor> made{concat({reshape(loss.detach(), {1}), squared_norms(gradients)}, 0).value()};
    for (const Var& g : gradients) made.push_back(g.value().packed());
    return made;
  }

  /// Of these inputs alone, on the condition as it stands. Throws, with the step and the op, what is not
  /// finite.
  Gradients checked_gradients(const std::vector<Tensor>& inputs, Index step) {
    const auto made = mode(Mode::checks) ? loss_and_gradients(inputs) : captured_(inputs);
    const auto [loss, norm] = read(made[0]);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      finite_step("training step", step + 1, [&] {  // under Anomaly the second time, which names the op
        grad(loss_of(inputs), variables(all_));
        return Var(Tensor::full({}, std::numeric_limits<real>::quiet_NaN()));
      });
    return {loss, norm, {made.begin() + 1, made.end()}};
  }

  /// What the loss takes of a batch.
  std::vector<Tensor> inputs_of(const Batch& batch, Index step) const {
    const LevelDistribution law{o_.level_mean, o_.level_deviation};
    const Tensor y0 = batch.images.to(o_.device);
    const Key key = key_.split(noise_stream).split(static_cast<std::uint64_t>(step));
    if (!tunes()) return loss_inputs(model_.score_model(), law, y0, key);
    const int stage = static_cast<int>(1 + step * o_.stages / o_.steps);
    return consistency_inputs(model_.edm, {law}, stage, y0, key);
  }

  /// Σ over shards first … first + count − 1 of loss and gradients, in one array, by halves: a tree that is
  /// the same however many ranks share it.
  Tensor sum_of_shards(const auto& of_shard, Index first, Index count) const {
    if (count > 1)
      return raw::binary(Binary::add, sum_of_shards(of_shard, first, count / 2),
                         sum_of_shards(of_shard, first + count / 2, count / 2));
    const Gradients g = of_shard(first);
    Vars flat{Tensor({1}, {static_cast<real>(g.loss)}, o_.device)};
    for (const Var& x : g.of_weights) flat.push_back(reshape(x, {x.size()}));
    return concat(flat, 0).value();
  }
  /// Loss and gradients of the batch, a mean over its shards.
  Gradients unpacked(const Tensor& sum) const {
    const Var mean = Var(sum) * static_cast<real>(1.0 / static_cast<double>(shards_));
    Gradients g{static_cast<double>(slice(mean, 0, 0, 1).item()), 0, {}};
    Index at = 1;
    for (const auto& p : all_) {
      const Index n = p.parameter->size();
      g.of_weights.push_back(reshape(slice(mean, 0, at, at + n), p.parameter->shape()));
      at += n;
    }
    g.norm = global_norm(g.of_weights);
    return g;
  }

  /// Loss and global norm: all that the host reads of a step.
  static std::pair<double, double> read(const Tensor& numbers) {
    double squares = 0;
    const std::vector<real> values = numbers.to_vector();
    for (std::size_t i = 1; i < values.size(); ++i) squares += static_cast<double>(values[i]);
    return {static_cast<double>(values[0]), std::sqrt(squares)};
  }

  /// The labels of a batch, each replaced by "none" with the probability of label dropout.
  std::vector<std::int32_t> labels_of(const Batch& batch, std::uint64_t step) const {
    if (!batch.labels.defined()) return {};
    const auto none = static_cast<std::int32_t>(model_.network.shape.classes);
    std::vector<std::int32_t> labels = batch.labels.to_vector();
    for (std::int32_t label : labels)
      if (label < 0 || label >= none) invalid("an image has label {}; expected 0 to {}", label, none - 1);
    const std::vector<real> dropped =
        bernoulli(key_.split(label_stream).split(step), {o_.batch}, o_.label_dropout).to_vector();
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (dropped[i] != 0) labels[i] = none;
    return labels;
  }

  /// All that a step changes.
  void visit_state(const VisitTensor& f) {
    for (const auto& p : all_) f("model." + p.name, p.parameter->leaf_value());
    ema_.visit("ema.", f);
    optimizer_.visit(f);
  }

  const TrainOptions& o_;
  const Index shards_ = shards_of(o_);
  Key key_;
  Model model_;
  std::vector<NamedParameter> all_;
  Muon optimizer_;  // which is Adam where it takes no kernel
  Ema ema_;
  nlohmann::ordered_json config_;
  std::optional<Batches> batches_;
  Condition condition_;  // where a captured step reads: written before each
  Captured captured_{[this](const std::vector<Tensor>& inputs) { return loss_and_gradients(inputs); }};
};

}  // namespace dale
