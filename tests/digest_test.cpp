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
    {"dale-langevin",    "058331fb7b9af06b7733956e663aef59", "7f81e583648860282340138164e85b49"},
    {"uniform",          "d6eb5eaa9e37f78673f1bc8515618fa0", "564082dba191341a48b9eaf269d59a16"},
    {"unconstrained",    "3c48a83f914619236a012f0fd80029bb", "ae1b5e498c946c7c3bfa855d484b9356"},
    {"eta",              "b893d6b07585d67c084503b0f575261a", "507754a7391d4171c1baf3d5b00f2b31"},
    {"vp",               "b65d3f92fcc98684d2de63d404deca6b", "8dce5106072715a221d2d79d1536f9e2"},
    {"probability-flow", "3d60afc37898bf74bf116482093731b4", "54aadd9d6a786c012a6ad1bfd14453f1"},
    {"ddim",             "df6a55d06f4e3e348f704bd47f908511", "3ed6a436debe1409dc7354def10430ca"},
    {"dpm-solver",       "b7aa454c11de99415249013fbd3cd6c2", "b452c18cadab4d54dae5468aa31b68bb"},
    {"ancestral",        "e4fb2276964a4da40c48d5e0865da48c", "5169b3c9c132c1c2e1119d812228ed9a"},
    {"stochastic",       "afee746805aa98c91b69dec35ba832e5", "a22a43b4a41246dbac401aeffcd83855"}};
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
