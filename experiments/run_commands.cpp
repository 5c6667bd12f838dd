// The commands of run/: train, tune, sample, likelihood.
#include <fmt/chrono.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "experiments/commands.h"
#include "experiments/data/idx.h"
#include "experiments/info.h"
#include "experiments/pictures/image.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/objective.h"
#include "experiments/run/ranks.h"
#include "experiments/run/samples.h"
#include "experiments/run/train.h"
#include "tensor/file.h"

namespace dale {
namespace {

const CLI::Range positive(1, 1'000'000'000);

/// Numbers of classes, given as numbers or by the names that the model's classes have.
std::vector<std::int32_t> classes_of(const std::vector<std::string>& given, const Model& model) {
  const std::vector<std::string> names = class_names(model.notes);
  std::vector<std::int32_t> classes;
  for (const std::string& word : given) {
    const auto at = std::find(names.begin(), names.end(), word);
    std::int32_t number = static_cast<std::int32_t>(at - names.begin());
    if (at == names.end()) {
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
      if (error != std::errc() || end != word.data() + word.size()) unknown_name("class", word, names);
    }
    classes.push_back(number);
  }
  return classes;
}

/// Whole numbers may be given as 1e4.
const CLI::Validator whole(
    [](std::string& text) -> std::string {
      double value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc() && end == text.data() + text.size() && value == std::floor(value) &&
          std::abs(value) < 1e15)
        text = std::to_string(static_cast<long long>(value));
      return "";
    },
    "");

/// KIND/NAME-DATE, and a number after it where that is there already: where results go that have no --out.
std::filesystem::path usual_out(const std::string& kind, const std::string& name) {
  const std::string first = fmt::format("{}/{}-{:%Y-%m-%d}", kind, name, fmt::localtime(std::time(nullptr)));
  std::string path = first;
  for (int n = 2; std::filesystem::exists(path); ++n) path = fmt::format("{}-{}", first, n);
  return path;
}

/// "pictures" of "mine/pictures/", "images" of "x/images.npy".
std::string stem_of(const std::string& dataset) { return std::filesystem::path(dataset).stem().string(); }

/// The options of train and tune.
void add_training_options(CLI::App* c, TrainOptions& o, Common& common) {
  c->add_option("--out", o.out, "folder for the run; runs/DATASET-PROCESS-DATE unless given");
  visit_numbers(o, [&](const char*, const char* option, auto& value, const char* name, const Demand& demand) {
    if (option != std::string_view("--width") || c->get_name() == "train")  // tune has the model's
    {
      CLI::Option* added = c->add_option(option, value, fmt::format("{}; {}", name, demand.must));
      if (std::is_integral_v<std::remove_reference_t<decltype(value)>>) added->transform(whole);
    }
  });
  c->add_option("--sample-every", o.sample_every,
                "steps between looks at the run: a grid of samples, and the loss on images kept back")
      ->transform(whole)
      ->check(CLI::Range(1, 1'000'000'000))
      ->default_str("");
  add_shards(c, o.shards);
  c->add_option("--optimizer", o.optimizer,
                "adam, or muon, which turns the steps of inner kernels into orthogonal ones");
  c->add_option("--decay", o.decay, "of the learning rate: constant, or cosine to 0 at the last step");
  c->add_flag("--resume", o.resume,
              "continue the run in --out from its last checkpoint, to the very bytes it would have had if it "
              "had never been stopped; needs the options it began with (--threads and --checkpoint-every are "
              "free, --steps too where the rate does not decay), and starts a run where there is none");
  common.add_to(c, true);
}

/// Trains or tunes, and tells what came of it.
void run_training(TrainOptions& o, const Common& common, const CLI::App* c) {
  while (o.dataset.size() > 1 && o.dataset.ends_with('/')) o.dataset.pop_back();  // one name for a folder
  o.data = common.data;
  o.seed = common.seed;
  o.device = common.machine();
  if (!o.classes) expect_absent(c, {"--label-dropout"}, "without --classes");
  if (!c->count("--out")) {
    expect_absent(c, {"--resume"}, "without --out, which says what to continue");
    o.out =
        usual_out("runs", stem_of(o.dataset) + (c->get_name() == "tune" ? "-consistency" : "-" + o.process));
  }
  const TrainResult r = train(o);
  fmt::print("{}  {} steps in {:.1f} s, {:.1f} images/s, last loss {:.4f}\n", r.model.string(), o.steps,
             r.seconds, r.images_per_second, r.loss.back());
  if (!r.note.empty()) fmt::print("{}: {}\n", o.dataset, r.note);
}

}  // namespace

void add_train(CLI::App& app, Common& common) {
  static TrainOptions o;
  CLI::App* c = app.add_subcommand("train", "train a model: config.json, metrics.csv, model.safetensors");
  c->add_option(
      "--dataset", o.dataset,
      "fashion-mnist, mnist, kmnist, cifar10, rain, a folder of PNG and JPEG files (a folder in it for each "
      "class), or a .npy file");
  add_treatment(c, o.treatment);
  c->add_option("--process", o.process, "gbm, gbm-paper (multiplicative), ve or vp (additive)");
  c->add_option("--embedding", o.embedding,
                "how data become positive: pixels (1 + pixel), identity, offset:C (C + data), or, for ve and "
                "vp, log");
  c->add_flag("--classes", o.classes, "feed the labels to the network");
  c->add_option("--multipliers", o.multipliers,
                "of the width, a level of the network each: images halve between")
      ->delimiter(',')
      ->check(CLI::Range(1, 64))
      ->default_str("1,2,2");
  c->add_option("--attention", o.attention, "heights of the levels that have self-attention: 7, or 14,7")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->default_str("");
  add_training_options(c, o, common);
  c->add_option("--from", o.from, "a model.safetensors to go on from: its process, network and embedding");
  c->callback([&common, c] {
    if (!o.from.empty()) {
      expect_absent(c,
                    {"--process", "--embedding", "--width", "--multipliers", "--attention", "--classes",
                     "--grey", "--size"},
                    "with --from, whose model has its own");
      const Model model = load_model(o.from);
      if (model.consistent())
        invalid("{} was tuned to consistency: dale train goes on from a model of dale train",
                o.from.string());
      adopt(o, model);
    }
    const bool by_level = default_prediction(process_named(o.process)) == Parameterisation::denoised;
    if (!by_level) expect_absent(c, {"--level-mean", "--level-deviation"}, "for the process " + o.process);
    run_training(o, common, c);
  });
}

void add_tune(CLI::App& app, Common& common) {
  static TrainOptions o = usual_tuning();
  static std::filesystem::path checkpoint;
  CLI::App* c =
      app.add_subcommand("tune", "tune a denoiser to consistency: a model that samples in one step");
  c->add_option("--checkpoint", checkpoint, "a model.safetensors of dale train")->required();
  c->add_option("--dataset", o.dataset, "the model's images");
  add_training_options(c, o, common);
  c->add_option("--stages", o.stages, "in which the two levels come closer")->check(CLI::Range(1, 20));
  c->callback([&common, c] {
    o = tuning_of(checkpoint, o);
    run_training(o, common, c);
  });
}

void add_sample(CLI::App& app, Common& common) {
  static SampleOptions o;
  static std::filesystem::path checkpoint, out, picture, mask;
  static std::string dataset = "fashion-mnist", process = "gbm";
  static std::vector<std::string> classes;
  static bool resume = false, each = false, moving = false;
  CLI::App* c = app.add_subcommand("sample", "sample from a model: samples.npy, grid.png, sample.json");
  CLI::Option* named = c->add_option("--checkpoint", checkpoint, "a model.safetensors of dale train or tune");
  c->add_option("--dataset", dataset,
                "without --checkpoint: whose model, of those that come with dale: fashion-mnist or mnist")
      ->excludes(named);
  c->add_option("--process", process, "likewise: gbm, or ve, which adds")->excludes(named);
  c->add_option(
      "--sampler", o.sampler,
      "probability-flow (Heun), ddim, dpm-solver, ancestral, consistency, stochastic, dale-langevin, "
      "unconstrained or eta");
  c->add_option("--steps", o.steps, "solver steps; of consistency 2 unless given")
      ->transform(whole)
      ->check(positive);
  c->add_option("--count", o.count, "images")->transform(whole)->check(positive);
  c->add_option("--batch", o.batch, "images at a time")->transform(whole)->check(positive);
  c->add_option("--s-min", o.s_min_factor,
                "samplers by level: the least, in standard deviations of the data");
  c->add_option("--s-max", o.s_max_factor, "samplers by level: the largest, likewise");
  c->add_option("--between", o.between,
                "consistency: the levels between, falling, in standard deviations of the data")
      ->default_str("");
  c->add_option("--eta", o.eta, "eta: 0 is the probability flow, 1 Dale-Langevin");
  c->add_flag("--annealed", o.annealed,
              "the paper's tuned delta, repeats and annealing for the model's data set, on its uniform grid");
  c->add_option("--grid", o.grid,
                "of dale-langevin and eta: levels, or uniform in time, which is the paper's");
  c->add_option("--sigma", o.sigma, "the uniform grid: volatility");
  c->add_option("--horizon", o.horizon, "the uniform grid: length of time");
  c->add_option("--classes", classes,
                "classes that the images take in turn, for a model trained with them: shoe,bag, or 3,7")
      ->delimiter(',')
      ->default_str("");
  c->add_option("--guidance", o.guidance, "0 ignores the class, 1 takes it as trained, more exaggerates it");
  CLI::Option* inpaint =
      c->add_option("--inpaint", picture, "a picture whose missing part the images complete");
  c->add_option("--mask", mask, "a picture of its size: white where it is missing")->needs(inpaint);
  c->add_flag("--images", each, "leave a PNG for each image, too, in OUT/images");
  c->add_flag("--trajectory", moving, "leave an animated PNG of the way from noise, too: OUT/trajectory.png");
  c->add_option("--out", out, "folder for the samples; samples/MODEL-SAMPLER-DATE unless given");
  c->add_flag("--resume", resume,
              "keep the images that are in --out already, of the same model and options, and make the rest");
  common.add_to(c, true);
  c->callback([&common, c] {
    o.seed = common.seed;
    o.device = common.machine();
    if (o.annealed) o.grid = "uniform";
    if (checkpoint.empty()) {  // two multiplications, unless what is asked for is the denoiser's
      const bool denoises =
          !picture.empty() || !classes.empty() || c->count("--sampler") || c->count("--process");
      if (!denoises) o.sampler = "consistency";
      const bool consistent = o.sampler == "consistency";
      if (consistent) expect_absent(c, {"--process"}, "for the sampler consistency, whose models multiply");
      const std::string kind = consistent ? "consistency" : classes.empty() ? process : process + "-classes";
      checkpoint = pretrained(fmt::format("{}-{}.safetensors", kind, dataset));
    }
    if (o.sampler == "consistency" && c->count("--steps") == 0) o.steps = 2;
    expect_absent(c, unread_options(o),
                  "for the sampler " + o.sampler + (c->count("--grid") ? " on the grid " + o.grid : ""));
    if (classes.empty()) expect_absent(c, {"--guidance"}, "without --classes");
    Model model = load_model(checkpoint);
    o.classes = classes_of(classes, model);
    const Treatment size{.height = treatment_of(model.notes).height,
                         .width = treatment_of(model.notes).width};
    if (!picture.empty()) o.known = treated(read_image(picture, model.network.shape.colours), size);
    if (!mask.empty())
      o.mask = less(Var(treated(read_image(mask, 1), size)), Var(Tensor::full({}, 0.5))).value();
    auto made_of = json_of(o);
    made_of.update({{"model_md5", md5(read_file(checkpoint))},
                    {"sources", sampling_sources},
                    {"bytes_a_real", sizeof(real)}});
    if (!c->count("--out")) {
      expect_absent(c, {"--resume"}, "without --out, which says what to continue");
      const std::string of = checkpoint.stem() == "model" ? checkpoint.parent_path().filename().string()
                                                          : checkpoint.stem().string();
      out = usual_out("samples", of + "-" + o.sampler);
    }
    Trajectory way(model);
    if (moving) o.watch = [&way](const Var& y, double s) { way.see(y, s); };
    std::optional<SamplesFolder> folder;
    if (rank() == 0) folder.emplace(out, made_of, resume);
    if (told_by_first(folder && folder->complete())) {
      fmt::print("{}  all {} images are there\n", (out / "samples.npy").string(), o.count);
      return;
    }
    const SampleResult r = sample(model, o, folder ? &*folder : nullptr);
    if (rank() > 0) return;
    const std::string note = folder->write(r, model, each);
    if (moving) way.write(out, r.images);
    fmt::print("{}  {}\n{}", (out / "samples.npy").string(), text_of(r, o), note);
  });
}

void add_likelihood(CLI::App& app, Common& common) {
  static LikelihoodOptions o;
  CLI::App* c =
      app.add_subcommand("likelihood", "bits per dimension of test images, by the probability flow");
  c->add_option("--checkpoint", o.model, "a model.safetensors of dale train")->required();
  c->add_option("--dataset", o.dataset, "whose test images");
  c->add_option("--count", o.count, "images")->check(positive);
  c->add_option("--batch", o.batch, "images at a time")->check(positive);
  c->add_option("--steps", o.steps, "steps of the integral")->check(CLI::Range(2, 100000));
  common.add_to(c, true);
  c->callback([&common] {
    o.data = common.data;
    o.seed = common.seed;
    o.device = common.machine();
    fmt::print("{}", text_of(likelihood(o), o));
  });
}

}  // namespace dale
