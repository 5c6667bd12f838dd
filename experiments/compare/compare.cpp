#include "experiments/compare/compare.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "experiments/compare/report.h"
#include "experiments/data/idx.h"
#include "experiments/info.h"
#include "experiments/run/folder.h"
#include "experiments/run/ranks.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"
#include "experiments/studies/study.h"
#include "tensor/file.h"
#include "tensor/npy.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// The run of which a model comes: of dale train, or of dale tune on the model that it is tuned from.
TrainOptions run_of(const std::string& dataset, const ComparedModel& model, const Profile& profile,
                    const CompareOptions& o) {
  const fs::path set = o.out / dataset;
  TrainOptions t = model.tuned                    ? profile.tuning
                   : model.process == "gbm-paper" ? profile.paper
                                                  : profile.training;
  if (model.tuned)
    t.tuned_from =
        set / ComparedModel{model.process, false, model.training_seed}.name() / "model.safetensors";
  t.dataset = dataset;
  t.process = model.process;
  t.data = o.data;
  t.out = set / model.name();
  t.shards = o.shards;
  t.seed = o.seed + static_cast<std::uint64_t>(model.training_seed);
  t.device = o.device;
  t.resume = true;
  return t;
}

/// All that the value of samples depends on: where a file says the same, they need not be made again.
Json made_of(const fs::path& model, const SampleOptions& s, const Reference& reference) {
  Json made = json_of(s);
  made.update({{"sources", sampling_sources},
               {"model_md5", md5(read_file(model))},
               {"classifier_md5", reference.classifier().digest},
               {"data_md5", reference.test().digests},
               {"bytes_a_real", sizeof(real)}});
  return made;
}

/// Whether the result in `file` stands: made so, and the samples beside it, if some are kept, are whole.
bool stands(const fs::path& file, const Json& made_of, const fs::path& samples) {
  if (!is_made_of(file, made_of)) return false;
  try {
    if (fs::exists(samples)) read_npy(samples);
    return true;
  } catch (const std::runtime_error& error) {
    say("{}; they are sampled again\n", error.what());
    return false;
  }
}

/// Samples and judges, and leaves FOLDER/seed-K.json, unless that says that it was done. Samples that left
/// the finite numbers are a result, too.
void sample_and_judge(const fs::path& folder, std::uint64_t k, const fs::path& model_path,
                      const SampleOptions& s, Reference& reference) {
  const fs::path file = folder / fmt::format("seed-{}.json", k);
  const bool writes = rank() == 0;
  Json json;
  if (writes) json["made_of"] = made_of(model_path, s, reference);
  if (told_by_first(writes && stands(file, json["made_of"], folder / "seed-0" / "samples.npy"))) return;
  Model model = load_model(model_path);
  try {
    std::optional<SamplesFolder> kept;
    if (writes && k == 0) kept.emplace(folder / "seed-0", json["made_of"], false);
    const SampleResult r = sample(model, s, kept ? &*kept : nullptr);
    if (!writes) return;
    if (kept) kept->write(r, model);
    json["evaluations"] = r.evaluations;
    json["seconds"] = r.seconds;
    json["sign_changes"] = r.sign_changes;
    json["evaluation"] = json_of(reference.evaluate(r.images), reference);
  } catch (const NotFinite& error) { json["failure"] = error.what(); }
  if (!writes) return;
  make_folder(folder);
  write_file(file, json.dump(2) + "\n");
}

/// What comparison.json says of a set.
Json about_set(const std::string& dataset, const Reference& reference) {
  const Classifier& judge = reference.classifier();
  return {{"name", dataset},
          {"note", reference.test().note},
          {"train_images", reference.train().images.dim(0)},
          {"test_images", reference.test().images.dim(0)},
          {"classifier",
           fmt::format("MD5 {}, {:.2f} % right on {} images, made by {}", judge.digest, 100 * judge.accuracy,
                       judge.notes.at("test_images"), judge.notes.at("command"))}};
}

/// Trains each model when it is first sampled, samples, judges and draws; `renew` is called when there is
/// more to see.
void compare_on(const std::string& dataset, Reference& reference, const Profile& profile,
                const CompareOptions& o, bool guide, const std::function<void()>& renew) {
  std::vector<ComparedModel> trained;
  const auto expect_trained = [&](const ComparedModel& model) {
    if (std::find(trained.begin(), trained.end(), model) != trained.end()) return;
    train(run_of(dataset, model, profile, o));
    trained.push_back(model);
  };
  for (const Plan& plan : profile.plans)
    for (int t = 0; t < (plan.seeds > 1 ? o.training_seeds : 1); ++t) {
      const ComparedModel model = plan.model(t);
      if (model.tuned) expect_trained({model.process, false, t});
      expect_trained(model);
      for (int budget : plan.budgets)
        for (std::uint64_t k = 0; k < static_cast<std::uint64_t>(plan.seeds); ++k) {
          SampleOptions s = sampling_of(plan, budget, o);
          s.seed += k;
          sample_and_judge(o.out / dataset / plan.folder(budget, t), k,
                           o.out / dataset / model.name() / "model.safetensors", s, reference);
          renew();
        }
    }
  if (guide) {
    TrainOptions t = run_of(dataset, {"gbm"}, profile, o);
    t.classes = true;
    t.steps = profile.guided_steps;
    t.out = o.out / dataset / "gbm-classes";
    train(t);
  }
  if (rank() > 0) return;
  const Alone alone;
  draw_pictures(dataset, reference, o);
}

/// The studies, each made once by the same sources and seed.
void make_studies(const CompareOptions& o, bool quick) {
  for (const Study& study : studies) {
    if (!study.compares) continue;
    const fs::path folder = study_folder(o.out, study.name, quick), made = folder / "made_of.json";
    const Json wanted = {{"sources", study_sources}, {"seed", o.seed}};
    if (is_made_of(made, wanted)) continue;
    write_file(folder / "section.html", study.run({folder, o.data, o.seed, quick}));
    write_file(made, Json{{"made_of", wanted}}.dump(2) + "\n");
  }
}

}  // namespace

SampleOptions sampling_of(const Plan& plan, int budget, const CompareOptions& o) {
  SampleOptions s;
  s.sampler = plan.sampler;
  s.steps = steps_within(plan.sampler, budget);
  s.count = plan.count;
  s.s_min_factor = profile_named(o.profile).s_min;
  if (!plan.grid.empty()) s.grid = "uniform";
  s.annealed = plan.grid == "annealed";
  s.seed = o.seed;
  s.device = o.device;
  return s;
}

void compare(const CompareOptions& o) {
  const Profile& profile = profile_named(o.profile);
  std::vector<std::string> present, missing;
  for (const std::string& name : o.datasets.empty() ? dataset_names() : o.datasets)
    (find_dataset(name, o.data) ? present : missing).push_back(name);
  if (present.empty() || (!o.datasets.empty() && !missing.empty()))
    load_dataset(missing[0], o.data);  // which says where it was looked for, and what to do
  std::optional<FolderLock> lock;
  if (rank() == 0) {
    make_folder(o.out);
    lock.emplace(o.out);
  }
  say("the profile {} takes {}\n", profile.name, profile.cost);
  Json about = {{"profile", profile.name}, {"seed", o.seed},       {"training_seeds", o.training_seeds},
                {"asked", o.datasets},     {"missing", missing},   {"build", build_info()},
                {"finished", false},       {"sets", Json::array()}};
  const auto renew = [&] {
    if (rank() > 0) return;
    write_file(o.out / "comparison.json", about.dump(2) + "\n");
    write_report(o.out);
  };
  for (const std::string& dataset : present) {
    const fs::path classifier = classifier_file(dataset);
    if (classifier.empty())
      invalid(
          "no classifier comes with {}, and by one dale compare judges: choose of fashion-mnist, mnist and "
          "kmnist",
          dataset);
    Reference reference(dataset, o.data, classifier);
    about["sets"].push_back(about_set(dataset, reference));
    compare_on(dataset, reference, profile, o, dataset == present[0], renew);
  }
  if (rank() > 0) return;
  const Alone alone;
  make_studies(o, profile.quick_studies);
  about["finished"] = true;
  renew();
  for (const Json& set : about["sets"])
    if (set["note"] != "")
      fmt::print("{}: {}\n", set["name"].get<std::string>(), set["note"].get<std::string>());
  for (const std::string& name : missing)
    fmt::print("not compared: {}, which was not found (dale info says where it is looked for)\n", name);
  fmt::print("{}\n", (o.out / "report.html").string());
}

}  // namespace dale
