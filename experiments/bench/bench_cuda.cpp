// make bench-peer DEVICE=cuda: R1 at batch 128 on a device, as captured graphs, in full precision and in
// TF32, and what its floor is made of: the rate of large matrix products and of a large copy. A training step
// must read and write each activation that its gradients need once, and each weight seven times (twice for
// gradients, its own, four for Adam).
#include <benchmark/benchmark.h>

#include "experiments/bench/r1.h"
#include "tensor/captured.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

constexpr Index N = 128;
constexpr int group = 20;  // calls that are waited for together

/// Measures f, after calls that let graphs be recorded.
template <class F> void measure(benchmark::State& state, Index items_a_call, const F& f) {
  for (int i = 0; i < group; ++i) f();
  cuda_synchronize();
  for (auto _ : state) {
    for (int i = 0; i < group; ++i) f();
    cuda_synchronize();
  }
  state.SetItemsProcessed(state.iterations() * group * items_a_call);
  state.counters["peak MiB"] = static_cast<double>(memory_use(Device::cuda).peak) / (1 << 20);
}

void training(benchmark::State& state, CudaProducts how) {
  cuda_set_products(how);
  const R1 r1(N, Device::cuda);
  Adam adam(r1.all);
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
      2.0 * static_cast<double>(saved) + 7.0 * sizeof(real) * static_cast<double>(r1.weights());
}

void evaluation(benchmark::State& state, CudaProducts how) {
  cuda_set_products(how);
  const NoGrad off;
  const R1 r1(N, Device::cuda);
  Captured network([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{r1(in).value()}; });
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
