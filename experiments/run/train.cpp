#include "experiments/run/train.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "experiments/info.h"
#include "experiments/run/options.h"
#include "experiments/run/stop.h"
#include "experiments/run/training.h"
#include "experiments/run/watch.h"

namespace dale {
namespace {

void check_options(const TrainOptions& o) {
  visit_numbers(o, [](const char*, const char*, auto value, const char* name, const Demand& demand) {
    if (!demand.holds(static_cast<double>(value)))
      invalid("the {} is {}; it must be {}", name, value, demand.must);
  });
  if (o.optimizer != "adam" && o.optimizer != "muon")
    unknown_name("optimizer", o.optimizer, {"adam", "muon"});
  if (o.decay != "constant" && o.decay != "cosine") unknown_name("decay", o.decay, {"constant", "cosine"});
}

}  // namespace

TrainResult train(const TrainOptions& o) {
  check_options(o);
  if (process_named(o.process).multiplicative() && o.embedding == "log")
    invalid("the process {} multiplies what is positive, and logarithms are not: choose ve, or identity",
            o.process);
  const bool writes = rank() == 0;
  if (writes && !o.resume && holds_run(o.out))
    invalid("{} holds a run already: continue it with --resume, or choose another --out", o.out.string());
  const StopSignals signals;
  const Dataset data = load_dataset(o.dataset, o.data, Split::train, o.treatment);
  Training training(o, data);
  nlohmann::ordered_json same = training.config();
  same.erase("threads");
  expect_alike(fmt::format("{} {}", study_sources, same.dump()), "sources, options or data");
  std::optional<FolderLock> lock;
  if (writes) {
    make_folder(o.out);
    lock.emplace(o.out);
  }
  const std::optional<Checkpoint> last = writes && o.resume ? last_checkpoint(o.out) : std::nullopt;
  if (writes && o.resume && !last && holds_run(o.out))
    invalid("{} holds a model.safetensors but no checkpoint to continue from: choose another --out",
            o.out.string());
  const Index first = training.resume(last);
  if (writes) write_file(o.out / "config.json", training.config().dump(2) + "\n");
  Metrics metrics = writes ? Metrics(o.out, first) : Metrics(first);
  if (rank_count() > 1 && !o.shards)
    say("{0} ranks, a shard each: one process makes the same bytes with --shards {0}\n", rank_count());

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
    const int signal = largest_of_ranks(signals.received());
    if (signal || done % o.checkpoint_every == 0 || done == o.steps) {
      training.expect_alike_weights(done);
      metrics.sync();
      if (writes) training.save(done);
    }
    const auto stop = [&](int by) {
      throw Stopped(by, fmt::format("after step {} of {}; {} is saved and --resume continues it", done,
                                    o.steps, o.out.string()));
    };
    if (signal) stop(signal);
    if (watch && done % o.sample_every == 0) try {
        Model averaged = training.averaged();
        watch->look(done, averaged);
      } catch (const Stopped& stopped) {
        if (writes) training.save(done);
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
  if (writes) training.save_weights(result.model);
  told_by_first(0);  // no rank leaves before the model is there
  return result;
}

}  // namespace dale
