#include "experiments/commands.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>

#include "experiments/compare/compare.h"
#include "experiments/compare/report.h"
#include "experiments/data/catalog.h"
#include "experiments/data/idx.h"
#include "experiments/info.h"
#include "experiments/judge/classifier.h"
#include "experiments/judge/evaluate.h"
#include "experiments/page/page.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/lock.h"
#include "experiments/run/objective.h"
#include "experiments/run/options.h"
#include "experiments/run/samples.h"
#include "experiments/studies/study.h"
#include "tensor/cuda/machine.h"
#include "tensor/file.h"
#include "tensor/image.h"
#include "tensor/npy.h"

namespace dale {
namespace {

const CLI::Range positive(1, 1'000'000'000);
/// CLI11 takes -1 and 2^64 for a whole number without a sign, and lets them wrap round.
std::string expect_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return fmt::format("{} is no whole number from 0 to 2^64 - 1", text);
}

/// An option that would do nothing is a mistake of whoever gave it.
void expect_absent(const CLI::App* command, const std::vector<std::string>& options, const std::string& why) {
  for (const std::string& option : options)
    if (command->count(option) > 0) invalid("{} does nothing {}: leave it out", option, why);
}

void add_train(CLI::App& app, Common& common) {
  static TrainOptions o;
  CLI::App* c = app.add_subcommand("train", "train a model: config.json, metrics.csv, model.safetensors");
  c->add_option(
      "--dataset", o.dataset,
      "fashion-mnist, mnist, kmnist, a folder of PNG files (a folder in it for each class), or a .npy file");
  c->add_option("--process", o.process, "gbm, gbm-paper (multiplicative), ve or vp (additive)");
  c->add_option("--out", o.out, "folder for the run")->required();
  visit_numbers(o, [&](const char*, const char* option, auto& value, const char* name, const Demand& demand) {
    c->add_option(option, value, fmt::format("{}; {}", name, demand.must));
  });
  c->add_option("--decay", o.decay, "of the learning rate: constant, or cosine to 0 at the last step");
  c->add_flag("--classes", o.classes, "feed the labels to the network");
  c->add_flag("--resume", o.resume,
              "continue the run in --out from its last checkpoint, to the very bytes it would have had if it "
              "had never been stopped; needs the options it began with (--threads and --checkpoint-every are "
              "free, --steps too where the rate does not decay), and starts a run where there is none");
  common.add_to(c, true);
  c->callback([&common, c] {
    while (o.dataset.size() > 1 && o.dataset.ends_with('/')) o.dataset.pop_back();  // one name for a folder
    o.data = common.data;
    o.seed = common.seed;
    o.device = common.machine();
    const bool by_level = default_prediction(process_named(o.process)) == Parameterisation::denoised;
    if (!o.classes) expect_absent(c, {"--label-dropout"}, "without --classes");
    if (!by_level) expect_absent(c, {"--level-mean", "--level-deviation"}, "for the process " + o.process);
    const TrainResult r = train(o);
    fmt::print("{}  {} steps in {:.1f} s, {:.1f} images/s, last loss {:.4f}\n", r.model.string(), o.steps,
               r.seconds, r.images_per_second, r.loss.back());
    if (!r.note.empty()) fmt::print("{}: {}\n", o.dataset, r.note);
  });
}

void add_train_classifier(CLI::App& app, Common& common) {
  static ClassifierOptions o;
  CLI::App* c = app.add_subcommand("train-classifier", "train the classifier by which samples are judged");
  c->add_option("--dataset", o.dataset, "as for train, with labels");
  c->add_option("--out", o.out, "the file to write, *.safetensors")->required();
  c->add_option("--epochs", o.epochs, "passes over the images");
  c->add_option("--batch", o.batch, "images per step");
  c->add_option("--lr", o.learning_rate, "Adam's learning rate, falling to 0");
  common.add_to(c);
  c->callback([&common] {
    o.data = common.data;
    o.seed = common.seed;
    expect_writable(o.out);
    const Classifier r = train_classifier(o);
    fmt::print("{}  {:.2f} % of {} images not trained on\n", o.out.string(), 100 * r.accuracy,
               r.notes.at("test_images"));
    if (!r.notes.at("note").empty()) fmt::print("{}: {}\n", o.dataset, r.notes.at("note"));
  });
}

void add_sample(CLI::App& app, Common& common) {
  static SampleOptions o;
  static std::filesystem::path checkpoint, out, picture, mask;
  static bool resume = false;
  CLI::App* c = app.add_subcommand("sample", "sample from a model: samples.npy, grid.png, sample.json");
  c->add_option("--checkpoint", checkpoint,
                "a model.safetensors of dale train; the one that comes with dale");
  c->add_option("--sampler", o.sampler,
                "probability-flow (Heun), ddim, dpm-solver, ancestral, stochastic, dale-langevin, "
                "unconstrained or eta");
  c->add_option("--steps", o.steps, "solver steps")->check(positive);
  c->add_option("--count", o.count, "images")->check(positive);
  c->add_option("--batch", o.batch, "images at a time")->check(positive);
  c->add_option("--s-min", o.s_min, "samplers by level: the least noise level");
  c->add_option("--s-max", o.s_max_factor,
                "samplers by level: the largest, in standard deviations of the data");
  c->add_option("--eta", o.eta, "eta: 0 is the probability flow, 1 Dale-Langevin");
  c->add_flag("--annealed", o.annealed,
              "the paper's tuned delta, repeats and annealing for the model's data set");
  c->add_option("--sigma", o.sigma, "samplers in time: volatility");
  c->add_option("--horizon", o.horizon, "samplers in time: length of time");
  c->add_option("--classes", o.classes, "classes that the images take in turn, for a model trained with them")
      ->default_str("");
  c->add_option("--guidance", o.guidance, "0 ignores the class, 1 takes it as trained, more exaggerates it");
  CLI::Option* inpaint = c->add_option("--inpaint", picture, "a PNG whose missing part the images complete");
  c->add_option("--mask", mask, "a PNG of its size: white where it is missing")->needs(inpaint);
  c->add_option("--out", out, "folder for the samples")->required();
  c->add_flag("--resume", resume,
              "keep the images that are in --out already, of the same model and options, and make the rest");
  common.add_to(c, true);
  c->callback([&common, c] {
    o.seed = common.seed;
    o.device = common.machine();
    expect_absent(c, unread_options(o.sampler), "for the sampler " + o.sampler);
    if (o.classes.empty()) expect_absent(c, {"--guidance"}, "without --classes");
    if (checkpoint.empty()) checkpoint = pretrained("gbm-fashion-mnist.safetensors");
    Model model = load_model(checkpoint);
    if (!picture.empty()) o.known = read_png(picture);
    if (!mask.empty()) o.mask = less(Var(read_png(mask)), Var(Tensor::full({}, 0.5))).value();
    auto made_of = json_of(o);
    made_of.update({{"model_md5", md5(read_file(checkpoint))},
                    {"sources", sampling_sources},
                    {"bytes_a_real", sizeof(real)}});
    SamplesFolder folder(out, made_of, resume);
    if (folder.complete()) {
      fmt::print("{}  all {} images are there\n", (out / "samples.npy").string(), o.count);
      return;
    }
    const SampleResult r = sample(model, o, &folder);
    const std::string note = folder.write(r, model);
    fmt::print("{}  {}\n{}", (out / "samples.npy").string(), text_of(r, o), note);
  });
}

void add_evaluate(CLI::App& app, Common& common) {
  static std::filesystem::path samples, out, classifier;
  static std::string dataset = "fashion-mnist";
  CLI::App* c = app.add_subcommand("evaluate", "distances of samples from a data set's images, with floors");
  c->add_option("--samples", samples, "a .npy file (N,1,28,28) in [0,1]: samples.npy of dale sample")
      ->required();
  c->add_option("--dataset", dataset, "what they should look like");
  c->add_option("--classifier", classifier, "of dale train-classifier; the one that comes with the data set");
  c->add_option("--out", out, "a .json file for the results");
  common.add_to(c, true);
  c->callback([&common] {
    common.machine();  // judged on the CPU on either: a file of samples has one value
    if (!out.empty()) expect_writable(out);
    const Tensor images = expect_samples(read_npy(samples));
    Reference reference(dataset, common.data, classifier.empty() ? classifier_file(dataset) : classifier);
    const Evaluation e = reference.evaluate(images);
    if (!out.empty()) write_file(out, json_of(e, reference).dump(2) + "\n");
    fmt::print("{}", text_of(e, reference));
    if (!reference.test().note.empty()) fmt::print("{}: {}\n", dataset, reference.test().note);
  });
}

void add_compare(CLI::App& app, Common& common) {
  static CompareOptions o;
  CLI::App* c =
      app.add_subcommand("compare", "train and sample additive and multiplicative models: report.html");
  c->add_option("--dataset", o.datasets, "data sets; all that are found when none is named")->default_str("");
  c->add_option("--profile", o.profile, "quick or full");
  c->add_option("--out", o.out, "folder for the results");
  common.add_to(c, true);
  c->callback([&common] {
    o.data = common.data;
    o.seed = common.seed;
    o.device = common.machine();
    compare(o);
  });
}

void add_report(CLI::App& app, Common&) {
  static std::filesystem::path out;
  CLI::App* c = app.add_subcommand("report", "write the report of a comparison anew, of the files it left");
  c->add_option("folder", out, "that was the --out of dale compare")->required();
  c->callback([] { fmt::print("{}\n", write_report(out).string()); });
}

void add_study(CLI::App& app, Common& common) {
  static std::string name;
  static StudyOptions o;
  CLI::App* c =
      app.add_subcommand("study", "a small experiment with known answers: CSV, figures, report.html");
  c->add_option("name", name, "exact, spirals, synapses or prior")->required();
  c->add_option("--out", o.out, "folder for the results")->required();
  common.add_to(c);
  c->callback([&common] {
    o.data = common.data;
    o.seed = common.seed;
    std::vector<std::string> known;
    for (const Study& study : studies) {
      known.push_back(study.name);
      if (study.name != name) continue;
      make_folder(o.out);
      const FolderLock lock(o.out);
      write_file(o.out / "report.html", page("study: " + name, study.run(o)));
      fmt::print("{}\n", (o.out / "report.html").string());
      return;
    }
    unknown_name("study", name, known);
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

void add_data(CLI::App& app, Common& common) {
  static std::vector<std::string> names;
  static bool verify = false;
  static FetchOptions o;
  CLI::App* c =
      app.add_subcommand("data", "the data sets: what is here, whether it is as published, and the rest");
  c->add_option("--fetch", names, "fetch what is missing of these, into the first of the folders looked in")
      ->default_str("");
  c->add_flag("--verify", verify, "compare every file with its published digest");
  c->add_option("--mirror", o.mirrors, "fetch from URLs that begin so, instead of the published mirrors")
      ->default_str("");
  c->add_option("--stall", o.stall, "seconds after which a mirror that sends next to nothing is given up")
      ->check(CLI::Range(1, 3600));
  common.add_to(c);
  c->callback([&common, c] {
    if (names.empty()) expect_absent(c, {"--mirror", "--stall"}, "without --fetch");
    for (const std::string& name : names) catalog_entry(name);
    for (const std::string& name : names) fetch_dataset(name, common.data, o);
    bool sound = true;
    if (names.empty() || verify) fmt::print("{}", data_report(common.data, verify, sound));
    if (!sound) failed("a file is not the published one: move it away, then dale data --fetch gets it again");
  });
}

void add_info(CLI::App& app, Common& common) {
  CLI::App* c = app.add_subcommand("info", "the build, threads, GPU, and the data sets found and where");
  common.add_to(c);
  c->callback([&common] { fmt::print("{}", info(common.data)); });
}

}  // namespace

Common::Common() : threads(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {}

void Common::add_to(CLI::App* command, bool on_device) {
  command->add_option("--data", data, "folder of data sets, before $DALE_DATA, ./data and the system's");
  command->add_option("--threads", threads, "threads; the results do not depend on it")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seed", seed, "same seed, same bits")->check(expect_seed);
  if (!on_device) return;
  command->add_option("--device", device, "cpu or cuda: where train, sample, compare and likelihood work");
  command->add_option("--precision", precision,
                      "of products on CUDA: full, or tf32, which rounds factors to 10 bits");
}

Device Common::machine() const {
  const Device asked = device_named(device);
  if (precision != "full" && precision != "tf32") unknown_name("precision", precision, {"full", "tf32"});
  if (asked == Device::cuda)
    cuda_set_products(precision == "full" ? CudaProducts::full : CudaProducts::tf32);
  else if (precision == "tf32")
    invalid("--precision tf32 is of the matrix units of a GPU: add --device cuda");
  return asked;
}

void add_commands(CLI::App& app, Common& common) {
  for (const auto add : {add_data, add_train, add_train_classifier, add_sample, add_evaluate, add_compare,
                         add_report, add_study, add_likelihood, add_info})
    add(app, common);
}

}  // namespace dale
