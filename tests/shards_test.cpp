// A batch in shards, in one process; tests/ranks.sh has them in many.
#include "experiments/run/train.h"
#include "tensor/cpu/parallel.h"
#include "tensor/draw.h"
#include "tensor/file.h"
#include "tensor/npy.h"
#include "tests/folder.h"

using namespace dale;

TEST_CASE("shards: one is the run without, more are the mean of their gradients at any number of threads",
          "[train][errors]") {
  const Folder w;
  write_npy(w / "images.npy", uniform(Key{7}, {48, 1, 8, 8}));
  const auto options = [&](const std::string& name, Index batch) {
    TrainOptions o;
    o.dataset = w / "images.npy";
    o.out = w / name;
    o.steps = 6;
    o.batch = batch;
    o.channels = 8;
    return o;
  };
  const auto model = [&](const char* name) { return read_file(fs::path(w / name) / "model.safetensors"); };
  const auto run = [&](const char* name, Index shards, double dropout) {
    TrainOptions o = options(name, 8);
    o.shards = shards;
    o.dropout = dropout;
    return train(o).loss;
  };
  const std::vector<double> plain = run("plain", 0, 0), one = run("one", 1, 0), four = run("four", 4, 0);
  CHECK(model("one") == model("plain"));
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(four[i] == Approx(plain[i]).epsilon(1e-4));
  run("dropped", 4, 0.3);
  set_threads(1);
  run("dropped again", 4, 0.3);
  set_threads(2);
  CHECK(model("dropped") == model("dropped again"));
  TrainOptions o = options("bad", 5);
  for (Index shards : {2, 3, 8}) {
    o.shards = shards;
    REFUSES(train(o), fmt::format("{} shards of a batch of 5 images: choose a power of two", shards));
  }
}
