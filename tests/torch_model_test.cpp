// For examples/torch_model.py, of two models that come with dale: states y (N,1,28,28), levels s (N), and
// D(y; s) without labels. Where PyTorch is at hand tests/run.sh names a folder for them, and asks.
#include "experiments/run/model.h"
#include "nn/checkpoint.h"
#include "tests/compare.h"
#include "tests/folder.h"

using namespace dale;

TEST_CASE("states and what dale makes of them are written for PyTorch to do the same", "[peer]") {
  const Folder own;
  const char* named = std::getenv("DALE_TORCH_CHECKS");
  for (const std::string name : {"gbm-fashion-mnist", "gbm-classes-fashion-mnist"}) {
    const Model model = load_model("experiments/pretrained/" + name + ".safetensors");
    const Denoiser D = model.denoiser();
    Vars states, denoised;
    std::vector<real> levels;
    for (std::uint64_t i = 0; i < 8; ++i) {
      // 3^{−i} times the 40 σ_d where samplers begin, as float has it, whose file PyTorch reads
      const real s = static_cast<float>(40 * model.edm.deviation * std::pow(3.0, -static_cast<double>(i)));
      const double spread = std::hypot(s, model.edm.deviation);
      levels.push_back(s);
      states.push_back(model.edm.mean + spread * Var(normal(Key{1}.split(i), {1, 1, 28, 28})));
      denoised.push_back(D(states.back(), static_cast<double>(s)));
    }
    const fs::path path = (named ? fs::path(named) : own.path) / (name + ".safetensors");
    const Tensor y = concat(states, 0).value();
    write_safetensors(path, {{{"y", y}, {"s", Tensor({8}, levels)}, {"D", concat(denoised, 0).value()}}, {}});
    const NamedTensors file = read_safetensors(path);
    CHECK(file.at("y").shape() == Shape{8, 1, 28, 28});
    CHECK(file.at("D").shape() == Shape{8, 1, 28, 28});
  }
}
