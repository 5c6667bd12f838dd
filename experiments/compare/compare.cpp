#include "experiments/compare/compare.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/anomaly.h"
#include "experiments/data/idx.h"
#include "experiments/studies/study.h"
#include "tensor/file.h"

namespace dale {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

const std::vector<int> few{10, 20}, many{5, 10, 20, 40, 100, 200, 500, 1000};

const std::vector<Plan> quick_plans{{"gbm", "probability-flow", few, 1000, 3},
                                    {"gbm", "probability-flow", {40}, 1000},
                                    {"gbm", "dpm-solver", few, 1000, 3},
                                    {"gbm", "dpm-solver", {40}, 1000},
                                    {"gbm", "probability-flow", {20}, 256},
                                    {"gbm", "dale-langevin", {100}, 256},
                                    {"gbm", "unconstrained", {10}, 256},
                                    {"ve", "probability-flow", few, 1000, 3},
                                    {"ve", "probability-flow", {40}, 1000},
                                    {"ve", "dpm-solver", few, 1000, 3},
                                    {"ve", "dpm-solver", {40}, 1000},
                                    {"ve", "probability-flow", {20}, 256},
                                    {"gbm-paper", "dale-langevin", {1000}, 256, 1, true},
                                    {"gbm-paper", "probability-flow", {20}, 256}};
const std::vector<Plan> full_plans{{"gbm", "probability-flow", many, 10000, 3},
                                   {"gbm", "dpm-solver", many, 10000, 3},
                                   {"gbm", "dale-langevin", many, 10000},
                                   {"gbm", "unconstrained", many, 10000},
                                   {"gbm", "stochastic", many, 10000},
                                   {"gbm", "probability-flow", {20}, 256},
                                   {"ve", "probability-flow", many, 10000, 3},
                                   {"ve", "dpm-solver", many, 10000, 3},
                                   {"ve", "stochastic", many, 10000},
                                   {"ve", "probability-flow", {20}, 256},
                                   {"vp", "probability-flow", many, 10000, 3},
                                   {"vp", "dpm-solver", many, 10000, 3},
                                   {"gbm-paper", "dale-langevin", {1000}, 256, 1, true},
                                   {"gbm-paper", "dale-langevin", {1000}, 10000, 3, true},
                                   {"gbm-paper", "probability-flow", many, 10000}};
const std::vector<Plan> smoke_plans{{"gbm", "probability-flow", {3}, 66, 2},
                                    {"gbm", "dale-langevin", {3}, 66},
                                    {"ve", "probability-flow", {3}, 66, 2},
                                    {"gbm-paper", "dale-langevin", {3}, 66, 1, true}};

const Profile profiles[] = {
    {.name = "quick",
     .channels = 16,
     .steps = 3600,
     .batch = 16,
     .learning_rate = 2e-3,
     .guided_steps = 1800,
     .quick_studies = false,
     .plans = quick_plans,
     .cost = "9 to 13 minutes a data set on two cores with nothing else to do"},
    {.name = "full",
     .channels = 32,
     .steps = 100000,
     .batch = 128,
     .learning_rate = 1e-3,
     .guided_steps = 20000,
     .quick_studies = false,
     .plans = full_plans,
     .cost =
         "four models of R1 on 12.8 million images each and some 460 million network evaluations a data set: "
         "about 10 hours at 10,000 images trained and 15,000 evaluated a second, as one GPU should do; "
         "estimated, not run"},
    {.name = "smoke",
     .channels = 8,
     .steps = 3,
     .batch = 8,
     .learning_rate = 1e-3,
     .guided_steps = 3,
     .quick_studies = true,
     .plans = smoke_plans,
     .cost = "seconds; its numbers mean nothing"}};

TrainOptions training_of(const std::string& dataset, const std::string& process, const Profile& profile,
                         const CompareOptions& o) {
  TrainOptions t;
  t.dataset = dataset;
  t.process = process;
  t.data = o.data;
  t.out = o.out / dataset / process;
  t.steps = profile.steps;
  t.batch = profile.batch;
  t.channels = profile.channels;
  t.learning_rate = profile.learning_rate;
  t.decay = "cosine";
  t.seed = o.seed;
  t.device = o.device;
  t.resume = true;
  return t;
}

/// All that the value of samples depends on: where a file says the same, they need not be made again.
Json made_of(const fs::path& model, const SampleOptions& s, const Reference& reference) {
  return {{"model_md5", md5(read_file(model))},
          {"classifier_md5", reference.classifier().digest},
          {"data_md5", reference.test().digests},
          {"bytes_a_real", sizeof(real)},
          {"sampler", s.sampler},
          {"steps", s.steps},
          {"count", s.count},
          {"seed", s.seed},
          {"s_min", s.s_min},
          {"s_max_factor", s.s_max_factor},
          {"annealed", s.annealed}};
}

Json read_json(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  Json json = Json::parse(read_file(path), nullptr, false);
  return json.is_discarded() ? Json() : json;
}

/// Samples and judges, unless FOLDER/seed-K.json says that it was done; what it says.
Json one_seed(const fs::path& folder, int k, const fs::path& model_path, const SampleOptions& s,
              Reference& reference) {
  const fs::path file = folder / fmt::format("seed-{}.json", k);
  const Json wanted = made_of(model_path, s, reference);
  Json json = read_json(file);
  if (json.is_object() && json.value("made_of", Json()) == wanted) return json;
  json = {{"made_of", wanted}};
  Model model = load_model(model_path);
  try {
    const SampleResult r = sample(model, s);
    if (k == 0) write_samples(folder / "seed-0", r, model, s);
    json["evaluations"] = r.evaluations;
    json["seconds"] = r.seconds;
    json["sign_changes"] = r.sign_changes;
    json["evaluation"] = json_of(reference.evaluate(r.images), reference);
  } catch (const NotFinite& error) { json["failure"] = error.what(); }
  make_folder(folder);
  write_file(file, json.dump(2) + "\n");
  return json;
}

CompareRow run(const Plan& plan, int budget, const fs::path& model, const CompareOptions& o,
               Reference& reference) {
  CompareRow row;
  row.process = plan.process;
  row.budget = budget;
  SampleOptions& s = row.options;
  s.sampler = plan.sampler;
  s.steps = steps_within(plan.sampler, budget);
  s.count = plan.count;
  s.annealed = plan.annealed;
  s.device = o.device;
  const fs::path folder = model.parent_path() / fmt::format("{}-{}-{}", s.sampler, s.steps, s.count);
  row.samples = folder / "seed-0" / "samples.npy";
  for (int k = 0; k < plan.seeds && row.failure.empty(); ++k) {
    SampleOptions seeded = s;
    seeded.seed = o.seed + static_cast<std::uint64_t>(k);
    const Json json = one_seed(folder, k, model, seeded, reference);
    const std::string file = (folder / fmt::format("seed-{}.json", k)).string();
    row.failure = json.value("failure", "");
    if (!row.failure.empty()) break;
    row.by_seed.push_back(evaluation_from(json.at("evaluation"), file));
    row.evaluations = json.value("evaluations", Index{0});
    row.sign_changes = json.value("sign_changes", Index{-1});
    row.seconds += json.value("seconds", 0.0) / plan.seeds;
  }
  if (!row.failure.empty()) row.by_seed.clear();
  s.seed = o.seed;
  return row;
}

CompareSet run(const std::string& dataset, const Profile& profile, const CompareOptions& o, bool guide) {
  const fs::path file = classifier_file(dataset);
  std::map<std::string, fs::path> models;
  CompareSet set{dataset, "", "", 0, 0, {}, {}, ""};
  for (const Plan& plan : profile.plans) {
    if (models.contains(plan.process)) continue;
    set.models.push_back({plan.process, train(training_of(dataset, plan.process, profile, o))});
    models[plan.process] = set.models.back().training.model;
  }
  fs::path guided;
  if (guide) {
    TrainOptions t = training_of(dataset, "gbm", profile, o);
    t.classes = true;
    t.steps = profile.guided_steps;
    t.out = o.out / dataset / "gbm-classes";
    guided = train(t).model;
  }
  Reference reference(dataset, o.data, file);
  set.note = reference.test().note;
  set.train_images = reference.train().images.dim(0);
  set.test_images = reference.test().images.dim(0);
  set.classifier =
      fmt::format("MD5 {}, {:.2f} % right on {} images, made by {}", reference.classifier().digest,
                  100 * reference.classifier().accuracy, reference.classifier().notes.at("test_images"),
                  reference.classifier().notes.at("command"));
  for (const Plan& plan : profile.plans)
    for (int budget : plan.budgets) set.rows.push_back(run(plan, budget, models[plan.process], o, reference));
  set.pictures = pictures_html(set, reference, o, guided);
  return set;
}

/// The studies' sections, each made once.
std::string studies_html(const CompareOptions& o, bool quick) {
  std::string html;
  for (const Study& study : studies) {
    const std::string name = std::string(study.name) + (quick ? "-smoke" : "");
    const fs::path folder = o.out / "studies" / name, section = folder / "section.html";
    std::error_code ignored;
    if (!fs::exists(section, ignored)) write_file(section, study.run({folder, o.data, o.seed, quick}));
    html += read_file(section);
  }
  return html;
}

}  // namespace

const Profile& profile_named(const std::string& name) {
  std::vector<std::string> known;
  for (const Profile& p : profiles) {
    if (p.name == name) return p;
    known.push_back(p.name);
  }
  unknown_name("profile", name, known);
}

int steps_within(const std::string& sampler, int budget) {
  return sampler == "probability-flow" || sampler == "stochastic" ? std::max(1, (budget + 1) / 2) : budget;
}

Spread spread(const CompareRow& row, Measure Evaluation::*measure) {
  const double n = static_cast<double>(row.by_seed.size());
  double mean = 0, squares = 0;
  for (const Evaluation& e : row.by_seed) mean += (e.*measure).value / n;
  for (const Evaluation& e : row.by_seed)
    squares += ((e.*measure).value - mean) * ((e.*measure).value - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1)) : 0};
}

const CompareRow* find_row(const CompareSet& set, const std::string& process, const std::string& sampler,
                           int budget, Index count) {
  for (const CompareRow& row : set.rows)
    if (row.process == process && row.options.sampler == sampler && row.budget == budget &&
        row.options.count == count && row.failure.empty())
      return &row;
  return nullptr;
}

void compare(const CompareOptions& o) {
  const Profile& profile = profile_named(o.profile);
  std::vector<std::string> present, missing;
  for (const std::string& name : o.datasets.empty() ? dataset_names() : o.datasets)
    (find_dataset(name, o.data) ? present : missing).push_back(name);
  if (present.empty() || (!o.datasets.empty() && !missing.empty()))
    load_dataset(missing[0], o.data);  // which says where it was looked for, and what to do
  make_folder(o.out);
  std::vector<CompareSet> sets;
  for (const std::string& dataset : present) {
    sets.push_back(run(dataset, profile, o, sets.empty()));
    write_file(o.out / "report.html", report_html(o, sets, missing, ""));
  }
  write_file(o.out / "report.html", report_html(o, sets, missing, studies_html(o, profile.quick_studies)));
  for (const CompareSet& set : sets)
    if (!set.note.empty()) fmt::print("{}: {}\n", set.name, set.note);
  for (const std::string& name : missing)
    fmt::print("not compared: {}, which was not found (dale info says where it is looked for)\n", name);
  fmt::print("{}\n", (o.out / "report.html").string());
}

}  // namespace dale
