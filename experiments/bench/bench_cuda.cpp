// make bench-peer DEVICE=cuda: R1 at batch 128 on a device, as captured graphs, in full precision and in
// TF32, and what its floor is made of: the rate of large matrix products and of a large copy. A training step
// must read and write each activation that its gradients need once, and each weight seven times (twice for
// gradients, its own, four for Adam).
#include <benchmark/benchmark.h>

#include "experiments/bench/r1.h"
#include "nn/optim.h"
#include "nn/unet.h"
#include "tensor/captured.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

constexpr Index N = 128;
constexpr int group = 20;  // calls that are waited for together

/// Measures f, after calls that let graphs be recorded.
template <class F>
void measure(benchmark::State& state, Index items_a_call, const F& f) {
  for (int i = 0; i < group; ++i) f();
  cuda_synchronize();
  for (auto _ : state) {
    for (int i = 0; i < group; ++i) f();
    cuda_synchronize();
  }
  state.SetItemsProcessed(state.iterations() * group * items_a_call);
  state.counters["peak MiB"] = static_cast<double>(memory_use(Device::cuda).peak) / (1 << 20);
}

struct R1 {
  ScoreUNet net{{}, Key{1}};
  std::vector<NamedParameter> all;
  std::vector<Tensor> inputs{uniform(Key{2}, {N, 1, 28, 28}, 0, Device::cuda),
                             uniform(Key{3}, {N}, 0, Device::cuda),
                             normal(Key{4}, {N, 1, 28, 28}, 0, Device::cuda)};

  R1() : all(parameters(net)) {
    for (const auto& p : all) p.parameter->leaf_value() = p.parameter->value().to(Device::cuda);
  }
  Var loss(const std::vector<Tensor>& in) const { return mean_squared_error(net(in[0], in[1]), in[2]); }
};

void training(benchmark::State& state, CudaProducts how) {
  cuda_set_products(how);
  R1 r1;
  Adam adam(r1.all);
  Index weights = 0;
  for (const auto& p : r1.all) weights += p.parameter->size();
  const std::size_t before = memory_use(Device::cuda).live;
  std::size_t saved = 0;
  {
    const Var loss = r1.loss(r1.inputs);
    saved = memory_use(Device::cuda).live - before;
  }
  Captured gradients([&](const std::vector<Tensor>& in) {
    std::vector<Tensor> made;
    for (const Var& g : last_grad(r1.loss(in), variables(r1.all))) made.push_back(g.value());
    return made;
  });
  measure(state, N, [&] {
    const std::vector<Tensor> made = gradients(r1.inputs);
    adam.step({made.begin(), made.end()}, 1e-3);
  });
  state.counters["operations"] = 3.0 * N * static_cast<double>(r1_operations());
  state.counters["bytes"] =
      2.0 * static_cast<double>(saved) + 7.0 * sizeof(real) * static_cast<double>(weights);
}

void evaluation(benchmark::State& state, CudaProducts how) {
  cuda_set_products(how);
  const NoGrad off;
  R1 r1;
  Captured network(
      [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{r1.net(in[0], in[1]).value()}; });
  measure(state, N, [&] { network({r1.inputs[0], r1.inputs[1]}); });
}

void matrix_rate(benchmark::State& state, CudaProducts how) {
  cuda_set_products(how);
  constexpr Index n = 4096;
  const Var a = normal(Key{1}, {n, n}, 0, Device::cuda), b = normal(Key{2}, {n, n}, 0, Device::cuda);
  measure(state, 2 * n * n * n, [&] { matmul(a, b); });
}

void bandwidth(benchmark::State& state) {
  const Tensor x = Tensor::full({1 << 26}, 1, Device::cuda);
  Tensor y(x.shape(), Device::cuda);
  measure(state, 2 * x.size() * Index{sizeof(real)}, [&] { raw::copy_into(y, x); });
}

const bool registered = [] {
  if (!cuda_missing().empty()) return false;
  const auto add = [](const std::string& name, auto... run) {
    benchmark::RegisterBenchmark(name.c_str(), run...)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  for (const auto& [how, name] :
       {std::pair{CudaProducts::full, " full"}, std::pair{CudaProducts::tf32, " tf32"}}) {
    add(std::string("cuda r1_training") + name, training, how);
    add(std::string("cuda r1_evaluation") + name, evaluation, how);
    add(std::string("cuda matmul") + name, matrix_rate, how);
  }
  add("cuda copy", bandwidth);
  return true;
}();

}  // namespace
}  // namespace dale
