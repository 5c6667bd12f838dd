// What many ranks would do (`make bench-ranks`). A step at R ranks takes
//   t(R) = compute of a shard + log₂ R (α + bytes / β)
// with the compute of a shard measured on one thread here, the exchange's latency α measured between
// processes here, and β measured (exchange) or the nominal rate of a link (model α). Each rank has a shard of
// 16 images, so efficiency is t(1) / t(R).
#include "experiments/run/ranks.h"

#include <chrono>
#include <cstdlib>
#include <numeric>

#include "diffusion/exact.h"
#include "experiments/bench/r1.h"
#include "tensor/cpu/parallel.h"

namespace dale {
namespace {

constexpr Index shard = 16;

/// Seconds of f, the median of so many runs after one that does not count.
double median_seconds(int runs, const auto& f) {
  std::vector<double> all;
  f();
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    all.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(all.begin(), all.end());
  return quantile(all, 0.5);
}

/// α and β of the sum over all ranks, a level of its tree: of one number, and of R1's gradients.
void measure_exchange(const char* transport) {
  const int levels = std::bit_width(static_cast<unsigned>(rank_count())) - 1;
  const auto seconds = [&](Index numbers) {
    const Tensor x = Tensor::full({numbers}, 1);
    return median_seconds(50, [&] { sum_over_ranks(x); }) / std::max(1, levels);
  };
  const Index numbers = R1(1).weights();
  const double alpha = seconds(1), large = seconds(numbers);
  fmt::print("measured: {} ranks, {}: {:.1f} us of latency, {:.1f} Gbit/s with the addition\n", rank_count(),
             transport, 1e6 * alpha,
             8e-9 * static_cast<double>(numbers) * sizeof(real) / std::max(1e-9, large - alpha));
}

double step_seconds(const R1& r1) {
  return median_seconds(7, [&] { last_grad(r1.loss(r1.inputs), variables(r1.all)); });
}

/// R ranks here, each with a shard and one thread: what a step takes with the exchange.
void measure_steps() {
  const R1 r1(shard);
  const Tensor gradients = Tensor::full({r1.weights()}, 1);
  const double seconds = median_seconds(7, [&] {
    last_grad(r1.loss(r1.inputs), variables(r1.all));
    sum_over_ranks(gradients);
  });
  fmt::print("measured: R1 at {} ranks of one thread, {} images each: {:.0f} ms a step\n", rank_count(),
             shard, 1e3 * seconds);
}

void model(double alpha) {
  for (const Index channels : {32, 104}) {
    const R1 r1(shard, Device::cpu, channels);
    const double compute = step_seconds(r1), bytes = static_cast<double>(r1.weights()) * sizeof(real);
    fmt::print("measured: {} parameters, {} images on one thread: {:.0f} ms a step\n", r1.weights(), shard,
               1e3 * compute);
    for (const double gigabits : {10.0, 100.0}) {
      fmt::print("modelled: efficiency over {:3.0f} Gbit/s", gigabits);
      for (int levels = 1; levels <= 6; ++levels)
        fmt::print(", {} ranks {:.3f}", 1 << levels,
                   compute / (compute + levels * (alpha + 8e-9 * bytes / gigabits)));
      fmt::print("\n");
    }
  }
}

}  // namespace
}  // namespace dale

int main(int argc, char** argv) {
  dale::Ranks ranks(argc, argv);
  dale::set_threads(1);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "exchange" && argc > 2) dale::measure_exchange(argv[2]);
  if (what == "steps") dale::measure_steps();
  if (what == "model" && argc > 2) dale::model(1e-6 * std::atof(argv[2]));
  return ranks.end(0);
}
