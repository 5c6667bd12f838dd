// The same seed, the same bytes: a small model is trained and sampled from, and the digests of what is left
// must be those written here, which hold on every processor with AVX2 or better and on 64-bit Arm, for every
// compiler and C library, at any number of threads and in batches of any size. A digest that differs has a
// cause: contraction, a function of the C library, or an order of summation that follows the machine.
#include "experiments/data/idx.h"
#include "experiments/run/sample.h"
#include "tensor/cpu/level.h"
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
    {"probability-flow", "6086766adc15f96ce8ec3c02efad01ec", "dccbce3596f50c21429df516ada87880"},
    {"ddim",             "d4a9d232c449162945358f42172483a1", "056963baba10dc17aeb722ad405158bd"},
    {"dpm-solver",       "2a99cee3fcbe8e020c33f7a04b1d0b34", "fb0c78a1233f52304e17b435119de374"},
    {"ancestral",        "28a4d9400f8edb47af8625761ef78b2e", "168aac7b96e5bdd38ff3a716e7fe7d7d"},
    {"stochastic",       "f2d3f6da9a60896423440df455433562", "cb0dbc54d4ebe7271cec3790ecd221af"},
    {"dale-langevin",    "403b609d8e943b861fb805b37f962bd8", "e7108aa5e570b098f96164b5623e34b4"},
    {"unconstrained",    "3c48a83f914619236a012f0fd80029bb", "ae1b5e498c946c7c3bfa855d484b9356"},
    {"eta",              "40b833042810ffb0083b188fdc80e188", "a9584883dcdf2cae324e70fb1e6715c6"},
    {"vp",               "b65d3f92fcc98684d2de63d404deca6b", "8dce5106072715a221d2d79d1536f9e2"},
    {"probability-flow", "e114f755fdf17e693fa9b5d0ec90e1c3", "aeb6e6d8fdd8e624f4408f4ddf462f1f"},
    {"ddim",             "9c475fba23e4bc8c9d3b7ca86b950782", "fc1ce670b48a8bcfc7a4476a4ee5ed63"},
    {"dpm-solver",       "f86fcde636ad73456b19dbbcd891d020", "535c8d91f1f3595683fb2e21d0fceba3"},
    {"ancestral",        "bc12dd11862758b0f857876cdeb6af8e", "f6c580edef9a2661ddab966991319b52"},
    {"stochastic",       "5c6ba74655982a56d68657383795492f", "edab5d26c789b0e609a1a31e6a7c2b29"}};
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
    }
  }
  for (const auto& row : digests) expected += row[0] + " " + row[sizeof(real) / sizeof(float)] + "\n";
  CHECK(found == expected);
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
