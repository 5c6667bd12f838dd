// Chapter V: a run twice is the same run; what is written can be read again; bad runs leave nothing that
// passes for good.
#include "experiments/compare/report.h"
#include "experiments/run/folder.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/objective.h"
#include "experiments/run/sample.h"
#include "nn/checkpoint.h"
#include "tensor/cpu/parallel.h"
#include "tests/workplace.h"

using namespace dale;

TEST_CASE("training and sampling: same seed, same bytes, at any number of threads", "[experiments]") {
  const Workplace w;
  std::vector<std::string> models;
  std::vector<std::vector<real>> samples;  // by every sampler
  for (int n : {1, 2, 2}) {
    set_threads(n);
    fs::remove_all(w.path / "run");
    models.push_back(read_file(train(w.options("run")).model));
    Model model = load_model(w.path / "run" / "model.safetensors");
    samples.emplace_back();
    for (const std::string& sampler : sampler_names()) {
      const Tensor images = sample(model, {.sampler = sampler, .steps = 3, .count = 5, .seed = 9}).images;
      CHECK(images.shape() == Shape{5, 1, 28, 28});
      for (real v : images.to_vector()) samples.back().push_back(v);
    }
  }
  CHECK((models[0] == models[1] && models[1] == models[2]));
  CHECK((samples[0] == samples[1] && samples[1] == samples[2]));
  for (real v : samples[0]) REQUIRE((v >= 0 && v <= 1));
  TrainOptions other = w.options("other");
  other.seed = 6;
  CHECK((read_file(train(other).model) != models[0]));
}

TEST_CASE("every process trains, and its samplers run on it", "[experiments]") {
  const Workplace w;
  for (const std::string& process : process_names()) {
    INFO(process);
    TrainOptions o = w.options(process);
    o.process = process;
    Model model = saying_little(load_model(train(o).model));
    CHECK_THAT(read_file(o.out / "config.json"), Contains(fmt::format("\"process\": \"{}\"", process)) &&
                                                     Contains("\"training_images\": 64") &&
                                                     Contains("\"seed\": 5"));
    CHECK(model.process->name() == process);
    CHECK(model.meaning == default_prediction(process_named(process)));
    for (const std::string& sampler : sampler_names()) {
      INFO(sampler);
      SampleOptions s{.sampler = sampler, .steps = 3, .count = 2};
      const bool multiplies = sampler == "dale-langevin" || sampler == "unconstrained" || sampler == "eta";
      if (multiplies && !process_named(process).multiplicative()) {
        REFUSES(sample(model, s), fmt::format("the sampler {} multiplies, but the model was trained with the "
                                              "additive process {}",
                                              sampler, process));
        continue;
      }
      const SampleResult result = sample(model, s);
      CHECK(all_finite(result.images));
      CHECK((result.sign_changes >= 0) == (sampler == "unconstrained"));
      s.annealed = true;
      REFUSES(sample(model, s), "of dale-langevin and unconstrained at 1000 steps, not of");
    }
  }
}

TEST_CASE("a run is not begun anew over what it left", "[experiments]") {
  const Workplace w;
  TrainOptions o = w.options("run");
  o.resume = true;
  const std::string model = read_file(train(o).model), metrics = read_file(o.out / "metrics.csv");
  const fs::path last = o.out / "checkpoint-00000003.safetensors";
  o.steps = 4;
  SECTION("with the checkpoints gone") {
    fs::remove(last);
    REFUSES(train(o), "holds a model.safetensors but no checkpoint to continue from");
  }
  SECTION("with none that can be read") {
    write_file(last, "short");
    CHECK_THROWS_WITH(train(o), Contains("none of the checkpoints in") && Contains("can be read"));
    CHECK(read_file(last) == "short");
  }
  CHECK((read_file(o.out / "model.safetensors") == model && read_file(o.out / "metrics.csv") == metrics));
}

TEST_CASE("rows of metrics.csv that are lost cost no checkpoint", "[experiments]") {
  const Workplace w;
  TrainOptions o = w.options("run");
  train(o);
  o.resume = true;
  const fs::path metrics = o.out / "metrics.csv";
  const std::string rows = read_file(metrics);
  CHECK(rows.starts_with("step,loss,gradient_norm,learning_rate,images_per_second\n1,"));
  const std::size_t second = rows.find("\n2,") + 1;
  const struct {
    std::string text, said;  // by who only reads it; nothing of a file that merely ends early
    Index lost;
  } broken[] = {
      {"", "expected the first line step,loss,", 3},
      {rows.substr(0, rows.size() - 1), "", 1},
      {rows.substr(0, second) + rows.substr(rows.find("\n3,") + 1),
       "line 3 is no row of step 2; expected five", 1},
      {rows.substr(0, second) + "1.5,9,9,9,9\n" + rows.substr(second), "line 3 is no row of step 2", 0},
      {rows.substr(0, second) + "2,x\n" + rows.substr(second), "line 3 is no row of step 2", 0}};
  for (const auto& [text, said, lost] : broken) {
    INFO(text);
    write_file(metrics, text);
    if (!said.empty()) CHECK_THROWS_WITH(read_metrics(o.out), Contains(metrics.string()) && Contains(said));
    CHECK(train(o).loss.size() == 3);
    const std::vector<MetricsRow> left = read_metrics(o.out);
    CHECK(left.size() == 3);
    CHECK(std::count_if(left.begin(), left.end(), [](const MetricsRow& r) { return std::isnan(r.loss); }) ==
          lost);
    if (lost == 0) CHECK(read_file(metrics) == rows);
  }
}

TEST_CASE("the likelihood is the same in batches of any size, and tells its solver's error",
          "[experiments]") {
  const Workplace w;
  write_part(w.path / "mnist", "t10k", noise(9 * 784, 256), noise(9, 10));
  const fs::path model = train(w.options("run")).model;
  LikelihoodOptions o{.model = model, .dataset = "mnist", .data = w.path.string(), .count = 5, .steps = 8};
  const Likelihood whole = likelihood(o);
  o.batch = 2;
  const Likelihood parts = likelihood(o);
  CHECK(std::abs(parts.bits - whole.bits) < 1e-5);  // sums over a batch may be cut in other places
  CHECK(std::abs(parts.standard_error - whole.standard_error) < 1e-5);
  o.steps = 4;
  CHECK(std::abs(std::abs(likelihood(o).bits - whole.bits) - whole.solver_error) < 2e-5);
  o.count = 1;
  CHECK(text_of(likelihood(o), o).find("±") == std::string::npos);
}

TEST_CASE("a checkpoint that is no model says what it lacks", "[experiments][errors]") {
  const Workplace w;
  train(w.options("run"));
  const NamedTensors good = read_safetensors(w.path / "run" / "model.safetensors");
  const auto refuses = [&](const std::function<void(NamedTensors&)>& change, const std::string& message) {
    NamedTensors file = good;
    change(file);
    write_safetensors(w.path / "bad.safetensors", file);
    REFUSES(load_model(w.path / "bad.safetensors"), message);
    CHECK_THROWS_AS(load_model(w.path / "bad.safetensors"), std::runtime_error);
  };
  refuses([](auto& f) { f.metadata.erase("format"); }, "bad.safetensors: its metadata has no 'format'");
  refuses([](auto& f) { f.metadata["data_mean"] = "x1"; }, "data_mean = 'x1', expected a number");
  refuses([](auto& f) { f.metadata["channels"] = "-8"; }, "expected a whole number");
  refuses([](auto& f) { f.metadata["channels"] = "16"; }, "bad.safetensors: tensor 'stem.weight' has shape");
  refuses([](auto& f) { f.metadata["process"] = "vp2"; }, "unknown process 'vp2'");
  refuses([](auto& f) { f.tensors.pop_back(); }, "it has no tensor 'head.bias'");
}

// Options that are wrong in one way only are refused by tests/cli.sh.
TEST_CASE("bad training options", "[experiments][errors]") {
  const Workplace w;
  const auto refuses = [&](const std::function<void(TrainOptions&)>& change, const std::string& message) {
    TrainOptions o = w.options("never");
    change(o);
    REFUSES(train(o), message);
    CHECK_THROWS_AS(train(o), std::invalid_argument);
  };
  const double nan = std::nan(""), inf = HUGE_VAL;
  for (Index width : {12, 0, 8000}) refuses([&](auto& o) { o.channels = width; }, "multiple of 8");
  for (double rate : {0.0, -1.0, nan, inf})
    refuses([&](auto& o) { o.learning_rate = rate; }, "must be positive and finite");
  for (double v : {-0.1, 1.0, nan}) {
    refuses([&](auto& o) { o.ema = v; }, fmt::format("average is {}; it must be in [0, 1)", v));
    refuses([&](auto& o) { o.dropout = v; }, fmt::format("dropout is {}; it must be in [0, 1)", v));
  }
  for (double v : {-1.0, nan, inf})
    refuses([&](auto& o) { o.clip = v; }, "positive and finite, or 0 for no limit");
  refuses([](auto& o) { o.label_dropout = 1.5; }, "label dropout is 1.5");
  for (Index steps : {Index{0}, Index{1} << 40})
    refuses([&](auto& o) { o.steps = steps; }, "at least 1 and at most 10^9");
}

TEST_CASE("a comparison's report says what was measured, and what failed", "[experiments][report]") {
  const auto row = [](const std::string& process, const std::string& sampler, int budget, Index count,
                      std::vector<double> distances) {
    CompareRow r{process, sampler, budget, count};
    r.evaluations = budget - 1;
    for (double d : distances) {
      Evaluation e{};
      e.frechet = {d, 4.5, 10000, count};
      e.confidence = {0.5, 0.9, 0, count};
      r.by_seed.push_back(e);
    }
    if (distances.empty()) r.failure = "sampling step 3: [exp] made a value that is not finite";
    return r;
  };
  CompareSet set{"mnist",    "every fifth image",
                 "MD5 0123", 8000,
                 2000,       {{"gbm", {3, 2, 1}, 10, 100}, {"ve", {}, 0, std::nan("")}}};
  set.rows = {row("gbm", "probability-flow", 20, 1000, {40, 42, 44}),
              row("ve", "probability-flow", 20, 1000, {30, 32, 31}),
              row("gbm-paper", "dale-langevin", 1000, 256, {})};
  set.rows.back().grid = "annealed";
  CHECK(spread(set.rows[0], &Evaluation::frechet).mean == 42);
  CHECK(spread(set.rows[0], &Evaluation::frechet).deviation == 2);
  CHECK(find_row(set, "ve", "probability-flow", 20, 1000) == &set.rows[1]);
  CHECK(find_row(set, "gbm-paper", "dale-langevin", 1000, 256) == nullptr);
  const std::string html = report_html({"quick", "", 0, 1, {}, {"kmnist"}, {set}});
  CHECK_THAT(html, Contains("42.0 ± 2.0 where ve reaches 31.0 ± 1.0 (ratio 1.36 ± 0.06) on mnist") &&
                       Contains("left the finite numbers on mnist") && Contains("failed: sampling step 3") &&
                       Contains("Not compared: kmnist") && Contains("every fifth image"));
  for (const char* outside : {"src='http", "href=", "@import", "<script", "url("})
    CHECK(html.find(outside) == std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
}

TEST_CASE("steps within a budget of evaluations", "[experiments]") {
  for (int budget : {5, 10, 20, 39, 40}) CHECK(2 * steps_within("probability-flow", budget) - 1 <= budget);
  CHECK(steps_within("probability-flow", 20) == 10);
  CHECK(steps_within("dpm-solver", 20) == 20);
  CHECK(steps_within("probability-flow", 1) == 1);
}
