// The same seed, the same bytes: a small model is trained and sampled from, and the digests of what is left
// must be those written here, which hold on every processor with AVX2 or better and on 64-bit Arm, for every
// compiler and C library, at any number of threads and in batches of any size. A digest that differs has a
// cause: contraction, a function of the C library, or an order of summation that follows the machine.
#include "experiments/data/idx.h"
#include "experiments/run/sample.h"
#include "tensor/cpu/level.h"
#include "tensor/draw.h"
#include "tensor/verbs.h"
#include "tests/workplace.h"

using namespace dale;

namespace {

/// Thirty steps, with rows and channels that fill no register whole and with all that a step can use.
Model trained(const Workplace& w, const std::string& process) {
  TrainOptions o = w.options(process);
  o.process = process;
  o.steps = 30;
  o.channels = 24;
  o.batch = 5;
  o.decay = "cosine";
  o.classes = true;
  o.dropout = 0.1;
  return load_model(train(o).model);
}

// In float and in double.
// clang-format off
const std::string digests[][3] = {
    {"gbm",              "f0b59c0ae43a3b258aec1e830d17c60f", "3bb0c6d0c588b1ccfc7466d95d97a988"},
    {"probability-flow", "d5b95d7599a339f905f68c42dcc77bf6", "4e24e97940c48e35656244c0efc5386c"},
    {"ddim",             "5b6c8c25b67309c5af1420c7636d702c", "f439d7e439eb925c71f90bbf7691fec5"},
    {"dpm-solver",       "9325d0cec07e1395b357b647e0d4ea0f", "3c005cfc02c6771ae7fba916070e6f26"},
    {"ancestral",        "e91699afa5ae2af1cc423f38212c50e4", "b9543c3ffe908d4100263be6d3301dfb"},
    {"stochastic",       "2dcd5e6bf2355f8d659bb6fc59d6e072", "383e488ab46a9f3614126b59eb3688d2"},
    {"dale-langevin",    "718493f7e4ddf6a433643be4a412e54f", "be20233d0ff6263c3c6da09c8c6473cc"},
    {"uniform",          "d6eb5eaa9e37f78673f1bc8515618fa0", "564082dba191341a48b9eaf269d59a16"},
    {"unconstrained",    "3c48a83f914619236a012f0fd80029bb", "ae1b5e498c946c7c3bfa855d484b9356"},
    {"eta",              "9b65e6e3fa466c0e34957c548a90bf6b", "897d723f9d3d1e7978d555e173f4ff5c"},
    {"vp",               "b65d3f92fcc98684d2de63d404deca6b", "8dce5106072715a221d2d79d1536f9e2"},
    {"probability-flow", "617f78ce499459014eb8c96aad1481cd", "097ee8048f45bd915cb1b0a6faf8038f"},
    {"ddim",             "7c797a0d179626ab576f21418e5e2833", "8fa31e849983c332be124f716eae7e64"},
    {"dpm-solver",       "b64aa30aea992b3f41d70d0a6efb5963", "7d39995d0d6bea7b1b820c5c3c8ff7be"},
    {"ancestral",        "6b843f20944a305fd9d67be85ca61136", "a6c47668d6244e201ab9553b3121ea51"},
    {"stochastic",       "9ea1011f4120842047c6441c278ed7bc", "879a652d69445b29d5d39ac5f4021822"}};
// clang-format on

std::string digest_of(const Tensor& x) {
  const std::vector<real> v = x.to_vector();
  return md5({reinterpret_cast<const char*>(v.data()), v.size() * sizeof(real)});
}

}  // namespace

TEST_CASE("a model and its samples have the bytes that they have on every other processor",
          "[experiments][digest]") {
  if (cpu::arithmetic() != "fused") return;  // tests/run.sh says so in its last lines
  const Workplace w;
  std::string found, expected;
  for (const std::string process : {"gbm", "vp"}) {
    Model model = trained(w, process);
    found += process + " " + md5(read_file(w.path / process / "model.safetensors")) + "\n";
    for (const std::string& sampler : sampler_names()) {
      if (process == "vp" && sampler == "dale-langevin") break;  // those that follow multiply too
      const SampleOptions o{.sampler = sampler, .steps = 4, .count = 3};
      found += sampler + " " + digest_of(sample(model, o).images) + "\n";
      if (sampler != "dale-langevin") continue;
      const SampleOptions uniform{.sampler = sampler, .steps = 4, .count = 3, .grid = "uniform"};
      found += "uniform " + digest_of(sample(model, uniform).images) + "\n";
    }
  }
  for (const auto& row : digests) expected += row[0] + " " + row[sizeof(real) / sizeof(float)] + "\n";
  CHECK(found == expected);
}

TEST_CASE("the gradient of taps over many images is added in an order that no register's width changes",
          "[conv][digest]") {
  if (cpu::arithmetic() != "fused") return;
  std::string found;
  for (const auto& [C, O, stride] : {std::tuple{8, 8, 1}, {12, 20, 1}, {8, 24, 2}, {3, 40, 1}}) {
    const Index size = 28 / stride;
    const ConvShape s{64, C, 28, 28, O, 3, 3, size, size, stride, stride, 1, 1, 1, 1};
    const Tensor x = normal(Key{1}, {s.N, s.C, s.H, s.W}), y = normal(Key{2}, {s.N, s.O, s.OH, s.OW});
    found += digest_of(raw::conv2d_weight(s, x, y)) + "\n";
  }
  CHECK(md5(found) ==
        (sizeof(real) == 4 ? "af4114db9cb03976098660d145be9396" : "2013e0398d837f415baa1953bb55c472"));
}

TEST_CASE("an image's bytes do not depend on the batch it is made in", "[experiments][batch]") {
  const Workplace w;
  Model model = trained(w, "gbm");
  for (const std::string& sampler : sampler_names()) {
    INFO(sampler);
    SampleOptions o{.sampler = sampler, .steps = 3, .count = 65};
    std::vector<std::string> digests;
    for (Index batch : {1, 7, 16, 64}) {
      o.batch = batch;
      digests.push_back(digest_of(sample(model, o).images));
    }
    CHECK(digests == std::vector<std::string>(digests.size(), digests[0]));
  }
}
