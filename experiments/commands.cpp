#include "experiments/commands.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "experiments/compare/compare.h"
#include "experiments/compare/report.h"
#include "experiments/data/catalog.h"
#include "experiments/info.h"
#include "experiments/judge/classifier.h"
#include "experiments/judge/evaluate.h"
#include "experiments/judge/values.h"
#include "experiments/page/page.h"
#include "experiments/run/folder.h"
#include "experiments/studies/study.h"
#include "tensor/cuda/machine.h"
#include "tensor/file.h"
#include "tensor/npy.h"

namespace dale {
namespace {

/// CLI11 takes -1 and 2^64 for a whole number without a sign, and lets them wrap round.
std::string expect_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return "";
  return fmt::format("{} is no whole number from 0 to 2^64 - 1", text);
}

void add_train_classifier(CLI::App& app, Common& common) {
  static ClassifierOptions o;
  CLI::App* c = app.add_subcommand("train-classifier", "train the classifier by which samples are judged");
  c->add_option("--dataset", o.dataset, "as for train, with labels");
  add_treatment(c, o.treatment);
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

void add_evaluate(CLI::App& app, Common& common) {
  static std::filesystem::path samples, out, classifier;
  static std::string dataset = "fashion-mnist";
  static Treatment how;
  CLI::App* c = app.add_subcommand("evaluate", "distances of samples from a data set's images, with floors");
  c->add_option("--samples", samples, "a .npy file (N,C,H,W): samples.npy of dale sample")->required();
  c->add_option("--dataset", dataset, "what they should look like");
  c->add_option("--classifier", classifier, "of dale train-classifier; the one that comes with the data set");
  add_treatment(c, how);
  c->add_option("--out", out, "a .json file for the results");
  common.add_to(c, true);
  c->callback([&common] {
    common.machine();  // judged on the CPU on either: a file of samples has one value
    if (!out.empty()) expect_writable(out);
    const Tensor images = read_npy(samples);
    const std::filesystem::path judge = classifier.empty() ? classifier_file(dataset) : classifier;
    if (judge.empty()) {
      const Dataset train = load_dataset(dataset, common.data, Split::train, how),
                    test = load_dataset(dataset, common.data, Split::test, how);
      const ValueComparison c = compare_values(images, train.images, test.images);
      if (!out.empty()) write_file(out, json_of(c).dump(2) + "\n");
      fmt::print("no classifier comes with {}{}\n{}", dataset,
                 train.classes ? ": make one by dale train-classifier and name it by --classifier" : "",
                 text_of(c));
      if (!train.note.empty()) fmt::print("{}: {}\n", dataset, train.note);
      return;
    }
    const Classifier named = load_classifier(judge);
    expect_samples(images, named);
    Reference reference(dataset, common.data, judge, how == Treatment{} ? treatment_of(named.notes) : how);
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
  c->add_option("--profile", o.profile, "quick, or overnight");
  c->add_option("--training-seeds", o.training_seeds,
                "models trained of each kind that claims rest on, with seeds from --seed on")
      ->check(CLI::Range(1, 100));
  add_shards(c, o.shards);
  c->add_option("--out", o.out, "folder for the results; on a disk that all ranks see");
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
  CLI::App* c = app.add_subcommand(
      "report", "the page of a training run, or that of a comparison anew, of the files they left");
  c->add_option("folder", out, "that was the --out of dale train, tune or compare")->required();
  c->callback([] {
    const bool run = std::filesystem::exists(out / "metrics.csv");
    if (!run && !std::filesystem::exists(out / "comparison.json"))
      failed(
          "{} holds no training run (metrics.csv) and no comparison (comparison.json): dale runs lists runs",
          out.string());
    fmt::print("{}\n", (run ? write_run_page(out) : write_report(out)).string());
  });
}

void add_runs(CLI::App& app, Common&) {
  static std::filesystem::path folder = "runs";
  CLI::App* c = app.add_subcommand("runs", "the training runs below a folder, and whether they can be read");
  c->add_option("folder", folder, "where to look");
  c->callback([] { fmt::print("{}", list_runs(folder)); });
}

void add_help(CLI::App& app, Common&) {
  static std::string command;
  CLI::App* c = app.add_subcommand("help", "the commands, or the options of one");
  c->add_option("command", command, "which")->default_str("");
  c->callback([&app] {
    for (const CLI::App* a : app.get_subcommands([](CLI::App*) { return true; }))
      if (a->get_name() == command) {
        fmt::print("{}", a->help());
        return;
      }
    if (!command.empty()) invalid("unknown command '{}': dale help lists them", command);
    fmt::print("{}", app.get_formatter()->make_help(&app, "dale", CLI::AppFormatMode::Normal));
  });
}

void add_study(CLI::App& app, Common& common) {
  static std::string name;
  static StudyOptions o;
  CLI::App* c =
      app.add_subcommand("study", "a small experiment with known answers: CSV, figures, report.html");
  c->add_option("name", name, "exact, spirals, synapses, prior, rain or figures")->required();
  c->add_option("--training-seeds", o.training_seeds, "rain: models of each kind, with seeds from --seed on")
      ->check(CLI::Range(1, 100));
  c->add_option("--out", o.out, "folder for the results")->required();
  common.add_to(c);
  c->callback([&common, c] {
    o.data = common.data;
    o.seed = common.seed;
    if (name != "rain") expect_absent(c, {"--training-seeds"}, "for the study " + name);
    const Study& study = row_named("study", name, studies);
    make_folder(o.out);
    const FolderLock lock(o.out);
    write_file(o.out / "report.html", page("study: " + name, study.run(o)));
    fmt::print("{}\n", (o.out / "report.html").string());
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

void add_treatment(CLI::App* command, Treatment& how) {
  command->add_flag("--grey", how.grey, "take images in grey, the mean of their colours");
  command->add_option_function<std::string>(
      "--size", [&how](const std::string& text) { set_size(how, text); },
      "resize images to 28, or 32x48 (height first), and crop what is left over at the sides");
}

void add_shards(CLI::App* command, Index& shards) {
  command
      ->add_option(
          "--shards", shards,
          "equal parts of a batch whose gradients are taken alone, a power of two; 1, or one for each rank "
          "of mpirun")
      ->check(CLI::Range(1, 65536))
      ->default_str("");
}

void expect_absent(const CLI::App* command, const std::vector<std::string>& options, const std::string& why) {
  for (const std::string& option : options)
    if (command->count(option) > 0) invalid("{} does nothing {}: leave it out", option, why);
}

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
  for (const auto add : {add_data, add_train, add_tune, add_train_classifier, add_sample, add_evaluate,
                         add_compare, add_report, add_runs, add_study, add_likelihood, add_info, add_help})
    add(app, common);
}

}  // namespace dale
