// make bench: what things cost on this machine. The network is the reference workload R1 (nn/unet.h) at batch
// 64, on a GPU 128: its items/s are images/s; those of convolutions, products and `peak` are operations/s of
// the direct method, two a multiply-add; of the others, elements/s. Options are Google Benchmark's:
//   build/benchmark --benchmark_filter=r1
// On a GPU R1 runs as captured graphs, in full precision and in TF32, beside what its floor is made of: the
// rate of large matrix products and of a large copy. A training step must read and write each activation that
// its gradients need once, and each weight seven times (twice for gradients, its own, four for Adam).
#include <benchmark/benchmark.h>

#include "experiments/bench/peak.h"
#include "experiments/bench/r1.h"
#include "tensor/captured.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

constexpr Index N = 64, N_cuda = 128;

/// Measures f, which makes so many items a call. On CUDA calls are waited for together, after some that let
/// graphs be recorded.
template <class F> void measure(benchmark::State& state, Device device, Index items_a_call, const F& f) {
  const bool cuda = device == Device::cuda;
  const int group = cuda ? 20 : 1;
  const auto calls = [&] {
    for (int i = 0; i < group; ++i) f();
    if (cuda) cuda_synchronize();
  };
  if (cuda) calls();
  for (auto _ : state) calls();
  state.SetItemsProcessed(state.iterations() * group * items_a_call);
}

void count_memory(benchmark::State& state, Device device) {
  state.counters["peak MiB"] = static_cast<double>(memory_use(device).peak) / (1 << 20);
}

void training(benchmark::State& state, Index channels, Index N, Device device) {
  const R1 r1(N, device, channels);
  Adam adam(r1.all);
  if (device == Device::cuda) {
    const std::size_t before = memory_use(device).live;
    const Var loss = r1.loss(r1.inputs);
    const double saved = static_cast<double>(memory_use(device).live - before);
    state.counters["operations"] = 3.0 * static_cast<double>(N * r1_operations());
    state.counters["bytes"] = 2 * saved + 7.0 * sizeof(real) * static_cast<double>(r1.weights());
  }
  Captured gradients([&](const std::vector<Tensor>& in) {
    std::vector<Tensor> made;
    for (const Var& g : last_grad(r1.loss(in), variables(r1.all))) made.push_back(g.value());
    return made;
  });
  const auto step = [&] {
    const std::vector<Tensor> made = gradients(r1.inputs);
    adam.step({made.begin(), made.end()}, 1e-3);
  };
  measure(state, device, N, step);
  count_memory(state, device);
}

void evaluation(benchmark::State& state, Index N, Device device) {
  const NoGrad off;
  const R1 r1(N, device);
  Captured network([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{r1(in).value()}; });
  measure(state, device, N, [&] { network({r1.inputs[0], r1.inputs[1]}); });
  count_memory(state, device);
}

void cuda_matmul(benchmark::State& state) {
  constexpr Index n = 4096;
  const Var a = normal(Key{1}, {n, n}, 0, Device::cuda), b = normal(Key{2}, {n, n}, 0, Device::cuda);
  measure(state, Device::cuda, 2 * n * n * n, [&] { matmul(a, b); });
}

void cuda_copy(benchmark::State& state) {
  const Tensor x = Tensor::full({1 << 26}, 1, Device::cuda);
  Tensor y(x.shape(), Device::cuda);
  measure(state, Device::cuda, 2 * x.size() * Index{sizeof(real)}, [&] {
    cuda_transfer(y.span().data(), x.cspan().data(), x.span().size_bytes(), Transfer::on_device);
  });
}

void peak(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  std::vector<double> keep(static_cast<std::size_t>(8 * threads));
  measure(state, Device::cpu, 8 * threads * 2 * burst_size(), [&] {
    parallel(8 * threads, [&](Index piece) { keep[static_cast<std::size_t>(piece)] = multiply_add_burst(); });
  });
  benchmark::DoNotOptimize(keep);
}

enum class Which { forward, input, weight };

void convolution(benchmark::State& state, const Layer& layer, Which which, Index N, Device device) {
  const ConvShape s = layer.shape(N);
  const Tensor x = normal(Key{1}, {N, s.H, s.W, s.C}, 0, device),
               w = normal(Key{2}, {s.O, s.C, s.kh, s.kw}, 0, device),
               y = normal(Key{3}, {N, s.OH, s.OW, s.O}, 0, device);
  const Kernels& k = kernels(device);
  measure(state, device, N * layer.operations(), [&] {
    if (which == Which::forward) k.conv2d(s, x.cspan(), w.cspan(), {}, {}, y.span());
    if (which == Which::input) k.conv2d_input(s, y.cspan(), w.cspan(), x.span());
    if (which == Which::weight) k.conv2d_weight(s, x.cspan(), y.cspan(), w.span(), {});
  });
  state.counters["operations"] = static_cast<double>(N * layer.operations());
  state.counters["times"] = static_cast<double>(layer.times);
}

/// `count` products of (M,K) by (K,N), or of the transpose of (K,M): our own, or OpenBLAS's with a piece a
/// product.
struct Product {
  Index count, M, N, K;
  bool transposed;

  std::string name() const {
    return fmt::format("{} products {}x{}{}x{}", count, M, K, transposed ? " transposed" : "", N);
  }
};
// What R1's convolutions multiply: Winograd's, for y and for w, with and without a change of width; windows
// of a layer that is halved, and the taps' gradient there; and large matrices.
constexpr Product products[] = {
    {36, 48, 32, 32, false}, {36, 24, 64, 64, false},  {36, 12, 64, 128, false},
    {36, 24, 32, 96, false}, {36, 32, 32, 48, true},   {36, 64, 64, 24, true},
    {36, 128, 64, 12, true}, {36, 96, 32, 24, true},   {64, 98, 32, 288, false},
    {64, 288, 32, 98, true}, {1, 64, 128, 128, false}, {1, 1024, 1024, 1024, false}};

void matrix_products(benchmark::State& state, const Product& p, bool own) {
  const Tensor a = normal(Key{1}, {p.count, p.transposed ? p.K : p.M, p.transposed ? p.M : p.K}),
               b = normal(Key{2}, {p.count, p.K, p.N});
  Tensor y({p.count, p.M, p.N});
  const Tensor factor = p.transposed ? a.permute({0, 2, 1}) : a;
  if (!own) blas::require();
  const Index rows = std::min<Index>(p.M, 128), blocks = (p.M + rows - 1) / rows;
  measure(state, Device::cpu, p.count * 2 * p.M * p.N * p.K, [&] {
    if (own)
      kernels(Device::cpu).matmul(factor.cview(), b.cview(), y.span());
    else
      parallel(p.count * blocks, [&](Index piece) {
        const Index i = piece / blocks, first = piece % blocks * rows, count = std::min(rows, p.M - first);
        const real* left = a.cspan().data() + i * p.M * p.K + first * (p.transposed ? 1 : p.K);
        blas::product(p.transposed, false, count, p.N, p.K, left, p.transposed ? p.M : p.K,
                      b.cspan().data() + i * p.K * p.N, p.N, y.span().data() + (i * p.M + first) * p.N, p.N);
      });
  });
}

/// R1's largest activations but one, channels side by side.
Var activations(Key key) { return raw::channels_first(normal(key, {N, 28, 28, 32})); }

void group_norm_silu(benchmark::State& state, bool fused) {
  const Var x = activations(Key{1}), gamma = Tensor::full({32}, 1), beta = Tensor::full({32}, 0);
  const auto formula = fused ? group_norm : group_norm_formula;
  measure(state, Device::cpu, x.size(), [&] { formula(x, gamma, beta, 8, 1e-5, true); });
}

void group_norm_silu_gradient(benchmark::State& state) {
  const Var x = parameter(activations(Key{1}).value()), gamma = Tensor::full({32}, 1),
            g = activations(Key{2});
  const Var y = group_norm(x, gamma, Tensor::full({32}, 0), 8, 1e-5, true);
  measure(state, Device::cpu, x.size(), [&] { vjp(y, g, {x}); });
}

void silu_map(benchmark::State& state) {
  const Var x = activations(Key{1});
  measure(state, Device::cpu, x.size(), [&] { silu(x); });
}

void adam_step(benchmark::State& state) {
  const R1 r1(1);
  Adam adam(r1.all);
  Vars gradients;
  for (const auto& p : r1.all) gradients.push_back(normal(Key{2}, p.parameter->shape()));
  measure(state, Device::cpu, r1.weights(), [&] { adam.step(gradients, 1e-3); });
}

/// A chain of a thousand scalar multiplications: the cost of recording an op, and of its gradient.
void small_ops(benchmark::State& state, bool backward) {
  const Var x = parameter(Tensor({}, {1})), c = Tensor({}, {1});
  measure(state, Device::cpu, 1000, [&] {
    Var y = x;
    for (int i = 0; i < 1000; ++i) y = y * c;
    if (backward) benchmark::DoNotOptimize(grad(y, {x}));
  });
}

void register_all() {
  const auto with_threads = [](const std::string& name, auto run, auto... arguments) {
    const auto threaded = [=](benchmark::State& state) {
      set_threads(static_cast<int>(state.range(0)));
      run(state, arguments...);
    };
    benchmark::RegisterBenchmark(name.c_str(), threaded)
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  with_threads("r1_training", training, Index{32}, N, Device::cpu);
  with_threads("quick_training", training, Index{16}, Index{16}, Device::cpu);
  with_threads("r1_evaluation", evaluation, N, Device::cpu);
  with_threads("peak", peak);
  for (const Layer& layer : layers) {
    const auto measured = [&](const std::string& name, Which which) {
      with_threads(name + " " + layer.name(), convolution, layer, which, N, Device::cpu);
    };
    measured("conv2d", Which::forward);
    if (layer.in > 1) measured("conv2d_input", Which::input);
    measured("conv2d_weight", Which::weight);
  }
  for (const Product& p : products)
    for (bool own : {true, false})
      with_threads(p.name() + (own ? ", own" : ", OpenBLAS"), matrix_products, p, own);
  with_threads("group_norm_silu fused", group_norm_silu, true);
  with_threads("group_norm_silu formula", group_norm_silu, false);
  with_threads("group_norm_silu gradient", group_norm_silu_gradient);
  with_threads("silu", silu_map);
  with_threads("adam of R1", adam_step);
  benchmark::RegisterBenchmark("small_ops forward", small_ops, false);
  benchmark::RegisterBenchmark("small_ops forward and backward", small_ops, true);
  if (!cuda_missing().empty()) return;
  const auto on_cuda = [](const std::string& name, CudaProducts how, auto run, auto... arguments) {
    const auto precise = [=](benchmark::State& state) {
      cuda_set_products(how);
      run(state, arguments...);
    };
    benchmark::RegisterBenchmark(name.c_str(), precise)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  for (const auto& [how, name] : {std::pair{CudaProducts::full, "full"}, {CudaProducts::tf32, "tf32"}}) {
    on_cuda(fmt::format("cuda r1_training {}", name), how, training, Index{32}, N_cuda, Device::cuda);
    on_cuda(fmt::format("cuda r1_evaluation {}", name), how, evaluation, N_cuda, Device::cuda);
    on_cuda(fmt::format("cuda matmul {}", name), how, cuda_matmul);
  }
  on_cuda("cuda copy", CudaProducts::full, cuda_copy);
  // The ladder of tensor/README.md.
  constexpr Layer layer{64, 64, 28, 3, 1, 1};
  for (const auto& [how, name] : {std::pair{CudaProducts::plain, "plain"},
                                  {CudaProducts::lanes, "lanes"},
                                  {CudaProducts::full, "full"},
                                  {CudaProducts::tf32, "tf32"}})
    on_cuda(fmt::format("cuda conv2d {} {}", layer.name(), name), how, convolution, layer, Which::forward,
            N_cuda, Device::cuda);
}

}  // namespace
}  // namespace dale

int main(int argc, char** argv) {
  dale::register_all();
  benchmark::AddCustomContext("OpenBLAS", dale::blas::description());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
