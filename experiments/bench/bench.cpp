// make bench: what things cost on this machine. The network is the reference workload R1 (nn/unet.h) at batch
// 64; its items/s are images/s. Options are Google Benchmark's: build/benchmark --benchmark_filter=R1
#include <benchmark/benchmark.h>

#include "nn/optim.h"
#include "nn/unet.h"
#include "tensor/cpu/parallel.h"

namespace dale {
namespace {

void r1_training(benchmark::State& state) {
  set_threads(static_cast<int>(state.range(0)));
  ScoreUNet net({}, Key{1});
  const auto all = parameters(net);
  Adam adam(all);
  const Var x = uniform(Key{2}, {64, 1, 28, 28}), t = uniform(Key{3}, {64}),
            y = normal(Key{4}, {64, 1, 28, 28});
  for (auto _ : state) {
    Vars xs;
    for (const auto& p : all) xs.push_back(*p.parameter);
    adam.step(grad(mean_squared_error(net(x, t), y), xs), 1e-3);
  }
  state.SetItemsProcessed(state.iterations() * 64);
  state.counters["peak MiB"] = static_cast<double>(memory_use(Device::cpu).peak) / (1 << 20);
}

void r1_evaluation(benchmark::State& state) {
  set_threads(static_cast<int>(state.range(0)));
  const NoGrad off;
  const ScoreUNet net({}, Key{1});
  const Var x = uniform(Key{2}, {64, 1, 28, 28}), t = uniform(Key{3}, {64});
  for (auto _ : state) net(x, t);
  state.SetItemsProcessed(state.iterations() * 64);
}

/// One 3×3 convolution of R1, forward: 64 images, 32 channels, 28×28. items/s are multiply-adds counted as
/// two operations.
void conv2d_32_28(benchmark::State& state) {
  set_threads(static_cast<int>(state.range(0)));
  const Var x = normal(Key{1}, {64, 32, 28, 28}), w = normal(Key{2}, {32, 32, 3, 3});
  for (auto _ : state) conv2d(x, w, {{1, 1}, {1, 1}, {1, 1}});
  state.SetItemsProcessed(state.iterations() * 2 * 64 * 32 * 32 * 9 * 784);
}

void group_norm_silu(benchmark::State& state) {
  set_threads(static_cast<int>(state.range(0)));
  const Var x = normal(Key{1}, {64, 32, 28, 28}), gamma = Tensor::full({32}, 1), beta = Tensor::full({32}, 0);
  const bool fused = state.range(1);
  for (auto _ : state)
    fused ? group_norm(x, gamma, beta, 8, 1e-5, true) : group_norm_formula(x, gamma, beta, 8, 1e-5, true);
  state.SetItemsProcessed(state.iterations() * x.size());
}

/// A chain of a thousand scalar multiplications: the cost of recording an op, and of its gradient.
void small_ops(benchmark::State& state) {
  const bool backward = state.range(0);
  const Var x = parameter(Tensor({}, {1})), c = Tensor({}, {1});
  for (auto _ : state) {
    Var y = x;
    for (int i = 0; i < 1000; ++i) y = y * c;
    if (backward) benchmark::DoNotOptimize(grad(y, {x}));
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}

void threads_1_2(benchmark::internal::Benchmark* b) { b->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime(); }

BENCHMARK(r1_training)->Apply(threads_1_2)->Unit(benchmark::kMillisecond)->MinTime(3);
BENCHMARK(r1_evaluation)->Apply(threads_1_2)->Unit(benchmark::kMillisecond)->MinTime(2);
BENCHMARK(conv2d_32_28)->Apply(threads_1_2)->Unit(benchmark::kMillisecond);
BENCHMARK(group_norm_silu)
    ->ArgNames({"threads", "fused"})
    ->Args({1, 0})
    ->Args({1, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(small_ops)->ArgName("backward")->Arg(0)->Arg(1);

}  // namespace
}  // namespace dale

BENCHMARK_MAIN();
