// Chapter V: training that can be left alone. A run stopped by signals, or by a disk that is full at each of
// its file operations in turn, and resumed, must leave what a run that was never stopped leaves.
#include "experiments/run/train.h"

#include <csignal>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "experiments/pictures/image.h"
#include "experiments/run/folder.h"
#include "experiments/run/sample.h"
#include "experiments/run/stop.h"
#include "tensor/cpu/parallel.h"
#include "tensor/npy.h"
#include "tests/folder.h"

using namespace dale;

namespace {

/// A folder for one test, with 48 images of 8 × 8 in it: as a .npy file, and as PNG files in three classes.
struct Workplace : Folder {
  Workplace() {
    const Tensor images = uniform(Key{7}, {48, 1, 8, 8});
    write_npy(path / "images.npy", images);
    for (Index n = 0; n < 48; ++n) {
      const fs::path folder = path / "classes" / fmt::format("c{}", n % 3);
      fs::create_directories(folder);
      write_png(folder / fmt::format("{:02}.png", n), images.slice(0, n, n + 1).reshape({8, 8}));
    }
  }
  ~Workplace() { fail_file_operation(0); }

  TrainOptions options(const std::string& run, TrainOptions o = {}) const {
    o.dataset = path / "images.npy";
    o.out = path / run;
    o.steps = 8;
    o.batch = 5;
    o.channels = 8;
    o.warmup = 4;
    o.checkpoint_every = 3;
    o.seed = 5;
    return o;
  }
  /// The same with everything that draws random numbers in use.
  TrainOptions full_options(const std::string& run) const {
    TrainOptions o = options(run);
    o.dataset = path / "classes";
    o.classes = true;
    o.label_dropout = 0.3;
    o.dropout = 0.2;
    o.decay = "cosine";
    o.optimizer = "muon";  // which has moments of its own, and Adam's for the rest
    return o;
  }
  std::string model(const std::string& run) const { return read_file(path / run / "model.safetensors"); }
  /// metrics.csv without its last column, which is a time.
  std::string metrics(const std::string& run) const {
    return std::regex_replace(read_file(path / run / "metrics.csv"), std::regex(",[^,\n]*\n"), "\n");
  }
};

Index files_of(const fs::path& folder, const std::string& part) {
  return std::count_if(fs::directory_iterator(folder), {}, [&](const fs::directory_entry& entry) {
    return entry.path().filename().string().find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("a run that signals stop, resumed with other thread counts, is the run that was never stopped",
          "[train]") {
  const Workplace w;
  set_threads(2);
  train(w.full_options("whole"));
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string name = signal == SIGINT ? "SIGINT" : "SIGTERM";
    for (Index at : {1, 3, 5, 8}) {
      fs::remove_all(w.path / "cut");
      TrainOptions o = w.full_options("cut");
      o.resume = true;  // which begins where there is nothing
      o.after_step = [&](Index step) {
        if (step == at) std::raise(signal);
      };
      set_threads(1);
      CHECK_THROWS_WITH(train(o), Contains(fmt::format("stopped by {} after step {} of 8", name, at)) &&
                                      Contains("--resume continues it"));
      o.after_step = {};
      set_threads(2);
      CHECK(train(o).loss.size() == 8);
      CHECK((w.model("cut") == w.model("whole")));
      CHECK(w.metrics("cut") == w.metrics("whole"));
      CHECK(files_of(w.path / "cut", "checkpoint-") == 2);
    }
  }
  TrainOptions again = w.full_options("cut");
  again.resume = true;
  CHECK(train(again).loss.size() == 8);
  CHECK((w.model("cut") == w.model("whole")));
}

TEST_CASE("a disk that is full at any file operation loses nothing", "[train]") {
  const Workplace w;
  train(w.options("whole"));
  Index k = 1;
  for (;; ++k) {
    INFO("operation " << k);
    fs::remove_all(w.path / "cut");
    TrainOptions o = w.options("cut");
    o.resume = true;
    fail_file_operation(k);
    bool ended = true;
    try {
      train(o);
    } catch (const std::runtime_error& error) {
      ended = false;
      CHECK_THAT(error.what(), Contains("No space left on device") && Contains((w.path / "cut").string()));
    }
    fail_file_operation(0);
    if (ended) break;
    for (const auto& entry : fs::directory_iterator(w.path / "cut"))
      if (entry.path().extension() == ".safetensors") CHECK_NOTHROW(read_safetensors(entry.path()));
    CHECK(files_of(w.path / "cut", ".tmp") == 0);
    train(o);
    REQUIRE((w.model("cut") == w.model("whole")));
    REQUIRE(w.metrics("cut") == w.metrics("whole"));
  }
  CHECK(k > 50);  // of config, metrics, three checkpoints and the model
}

TEST_CASE("a half row, rows beyond the checkpoint and a damaged checkpoint are put right", "[train]") {
  const Workplace w;
  train(w.options("whole"));
  TrainOptions o = w.options("cut");
  train(o);
  o.resume = true;
  const fs::path folder = w.path / "cut", last = folder / "checkpoint-00000008.safetensors";
  write_file(folder / "metrics.csv", read_file(folder / "metrics.csv") + "9,0.5,0.5,0.5,10\n10,0.");
  fs::remove(folder / "model.safetensors");
  write_file(last, read_file(last).substr(0, 1000));
  train(o);  // from step 6
  CHECK((w.model("cut") == w.model("whole")));
  CHECK(w.metrics("cut") == w.metrics("whole"));
  CHECK(read_safetensors(last).metadata.at("step") == "8");
}

TEST_CASE("more steps at a constant rate are the longer run", "[train]") {
  const Workplace w;
  TrainOptions o = w.options("longer");
  o.steps = 10;
  train(o);
  o.out = w.path / "grown";
  o.steps = 7;
  train(o);
  o.steps = 10;
  o.resume = true;
  train(o);
  CHECK((w.model("grown") == w.model("longer")));
}

TEST_CASE("what a run does not continue", "[train][errors]") {
  const Workplace w;
  TrainOptions o = w.full_options("run");
  train(o);
  o.resume = true;
  const auto refuses = [&](const std::function<void(TrainOptions&)>& change, const std::string& message) {
    TrainOptions other = o;
    change(other);
    REFUSES(train(other), message);
    CHECK_THROWS_AS(train(other), std::invalid_argument);
  };
  refuses([](auto& t) { t.resume = false; },
          "run holds a run already: continue it with --resume, or choose another --out");
  refuses([](auto& t) { t.learning_rate = 0.5; },
          "was made with learning_rate = 0.001, not 0.5: continue it with");
  refuses([](auto& t) { t.steps = 9; }, "was made with steps = 8, not 9");
  refuses([](auto& t) { t.dropout = 0; }, "dropout = 0.2, not 0.0");
  write_png(w.path / "classes" / "c0" / "00.png", Tensor::full({8, 8}, 0.5));
  refuses([](auto&) {}, "was made with data_md5 = {\"images\":");
  TrainOptions constant = w.options("constant");
  train(constant);
  constant.resume = true;
  constant.steps = 4;
  REFUSES(train(constant), "is beyond the 4 steps asked for");
  for (const char* text : {"", "[1]", "{\"a\":", "{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", "{}{}"})
    REFUSES(read_config(text, "here"), "here: no JSON object of at most three levels");
}

TEST_CASE("memory and live nodes are flat", "[train]") {
  const Workplace w;
  TrainOptions o = w.full_options("run");
  o.steps = 1000;
  o.batch = 2;
  o.checkpoint_every = 100;
  std::set<Index> nodes;
  std::set<std::size_t> bytes;
  o.after_step = [&](Index step) {
    if (step > 1) nodes.insert(live_nodes()), bytes.insert(memory_use(Device::cpu).live);
  };
  train(o);
  CHECK(nodes.size() == 1);
  // The batch of the next step is there already or not yet; all else is the same at every step.
  CHECK(*bytes.rbegin() - *bytes.begin() <= 2 * 64 * sizeof(real) + 64);
}

TEST_CASE("the learning rate warms up and decays", "[train]") {
  const Workplace w;
  TrainOptions o = w.options("constant");
  for (const char* decay : {"constant", "cosine"}) {
    o.decay = decay;
    o.out = w.path / decay;
    train(o);
    const Metrics metrics(o.out, 8);
    for (int i = 0; i < 8; ++i) {
      const double warm = std::min(1.0, (i + 1) / 4.0);
      const double shape = o.decay == "cosine" ? 0.5 + 0.5 * std::cos(std::acos(-1) * i / 8) : 1;
      CHECK(metrics.rows()[i].learning_rate == Approx(1e-3 * warm * shape).epsilon(1e-6));
    }
  }
}

TEST_CASE("labels are learnt from, and a network with classes serves without them", "[train]") {
  const Workplace w;
  TrainOptions o = w.full_options("run");
  o.label_dropout = 0;
  Model model = load_model(train(o).model);
  CHECK(model.network.shape.classes == 3);
  CHECK((model.height == 8 && model.width == 8));
  const ScoreUNet fresh({.channels = 8, .classes = 3}, Key{5}.split(0));
  const auto row = [](const ScoreUNet& net, Index i) {  // as a model file holds it, in float
    const auto values = net.label->value().slice(0, i, i + 1).to_vector();
    return std::vector<float>(values.begin(), values.end());
  };
  for (Index i : {0, 1, 2}) CHECK(row(model.network, i) != row(fresh, i));
  CHECK(row(model.network, 3) == row(fresh, 3));  // "none" was never seen
  const Var x(normal(Key{1}, {2, 1, 8, 8})), t(Tensor::full({2}, 0.1));
  const auto output = [&](const Condition& c) { return model.network(x, t, c).value().to_vector(); };
  CHECK(output({}) == output({IntTensor({2}, {3, 3}), {}}));
  CHECK(output({}) != output({IntTensor({2}, {0, 1}), {}}));
  CHECK(sample(model, {.steps = 2, .count = 2}).images.shape() == Shape{2, 1, 8, 8});
  o.dataset = w.path / "images.npy";
  o.out = w.path / "other";
  CHECK_THROWS_WITH(train(o), Contains("--classes needs labels, which ") && Contains("a folder of its own"));
}

TEST_CASE("tuning to consistency: resumed it is the run that was never stopped, and it samples", "[train]") {
  const Workplace w;
  const auto options = [&](const std::string& run, const TrainOptions& start = {}) {
    TrainOptions o = w.options(run, start);
    o.stages = 3;
    o.dropout = 0.2;
    return o;
  };
  const fs::path denoiser = train(options("model")).model;
  const TrainOptions tuning = tuning_of(denoiser);
  Model whole = load_model(train(options("whole", tuning)).model);
  TrainOptions o = options("cut", tuning);
  o.after_step = [](Index step) {
    if (step == 4) std::raise(SIGINT);
  };
  CHECK_THROWS_AS(train(o), Stopped);
  CHECK(load_model(w.path / "cut" / "checkpoint-00000004.safetensors").consistent());
  o.after_step = {};
  o.resume = true;
  train(o);
  CHECK((w.model("cut") == w.model("whole")));
  CHECK((w.model("cut") != w.model("model")));
  for (int steps : {1, 2}) {
    const SampleOptions s{.sampler = "consistency", .steps = steps, .count = 3};
    CHECK(sample(whole, s).evaluations == steps);
  }
  REFUSES(sample(whole, {.sampler = "consistency", .steps = 3, .count = 3, .between = {1, 2}}), "must fall");
  REFUSES(sample(whole, {.sampler = "ddim"}), "the sampler ddim is not for this model");
  Model untuned = load_model(denoiser);
  REFUSES(sample(untuned, {.sampler = "consistency"}), "the sampler consistency is not for this model");
  TrainOptions paper = options("paper");
  paper.process = "gbm-paper";
  REFUSES(tuning_of(train(paper).model), "whose network predicts the stein: consistency tunes a denoiser");
  TrainOptions other = options("other", tuning);
  other.dataset = w.path / "larger.npy";
  write_npy(other.dataset, uniform(Key{7}, {48, 1, 12, 12}));
  REFUSES(train(other), "the model makes images of (1,8,8) (colours, height, width), those of ");
}
