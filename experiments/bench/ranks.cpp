// What many ranks would do (`make bench-ranks`). A step at R ranks takes
//   t(R) = compute of a shard + log₂ R (α + bytes / β + addition)
// Measured here, by one thread a rank: the compute of a shard, and the addition; the exchange's latency α
// and its bandwidth β between processes, with the addition; steps of one and two ranks. Modelled: many
// ranks, with α of TCP over loopback and the nominal rate of a link for β. Each rank has a shard of 16
// images, so efficiency is t(1) / t(R).
#include "experiments/run/ranks.h"

#include <chrono>
#include <cstdlib>

#include "diffusion/exact.h"
#include "experiments/bench/r1.h"
#include "tensor/cpu/parallel.h"

namespace dale {
namespace {

constexpr Index shard = 16, networks[] = {32, 104};  // of R1's width, and of ten times its parameters

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

/// α and 1/β that minimise Σ ((α + bytes/β − t) / t)² over three sizes: one number, and each network's
/// gradients. t is that of a level of the tree.
void measure_exchange(const char* transport) {
  const int levels = std::bit_width(static_cast<unsigned>(rank_count())) - 1;
  double uu = 0, uv = 0, vv = 0, u1 = 0, v1 = 0;  // sums of products of u = 1/t, v = bytes/t and 1
  std::string times;
  for (const Index numbers : {Index{1}, R1(1).weights(), R1(1, Device::cpu, networks[1]).weights()}) {
    const Tensor x = Tensor::full({numbers}, 1);
    const double t = median_seconds(50, [&] { sum_over_ranks(x); }) / std::max(1, levels);
    const double bytes = static_cast<double>(numbers) * sizeof(real), u = 1 / t, v = bytes / t;
    uu += u * u, uv += u * v, vv += v * v, u1 += u, v1 += v;
    times += fmt::format("{}{:.3g} MB {:.3g} ms", times.empty() ? "" : ", ", 1e-6 * bytes, 1e3 * t);
  }
  const double determinant = uu * vv - uv * uv;
  fmt::print("measured: {} ranks, {}: {:.1f} us of latency, {:.1f} Gbit/s with the addition ({})\n",
             rank_count(), transport, 1e6 * (vv * u1 - uv * v1) / determinant,
             8e-9 * determinant / (uu * v1 - uv * u1), times);
}

double step_seconds(const R1& r1, bool exchanges) {
  const Tensor gradients = Tensor::full({exchanges ? r1.weights() : 0}, 1);
  return median_seconds(9, [&] {
    last_grad(r1.loss(r1.inputs), variables(r1.all));
    if (exchanges) sum_over_ranks(gradients);
  });
}

/// R ranks here, each with a shard and one thread: what a step takes with the exchange.
void measure_steps() {
  for (const Index channels : networks) {
    const R1 r1(shard, Device::cpu, channels);
    const double seconds = step_seconds(r1, true);
    fmt::print("measured: {} parameters at {} ranks of one thread, {} images each: {:.0f} ms a step\n",
               r1.weights(), rank_count(), shard, 1e3 * seconds);
  }
}

void model(double alpha) {
  std::string table;
  for (const Index channels : networks) {
    const R1 small(shard / 2, Device::cpu, channels), r1(shard, Device::cpu, channels);
    const Tensor gradients = Tensor::full({r1.weights()}, 1);
    const double half = step_seconds(small, false), compute = step_seconds(r1, false),
                 addition = median_seconds(50, [&] { raw::binary(Binary::add, gradients, gradients); }),
                 bytes = static_cast<double>(r1.weights()) * sizeof(real);
    fmt::print("measured: {} parameters on one thread: {} images {:.0f} ms a step, {} images {:.0f} ms; ",
               r1.weights(), shard / 2, 1e3 * half, shard, 1e3 * compute);
    fmt::print("{:.2g} ms to add two gradients\n", 1e3 * addition);
    for (const double gigabits : {10.0, 100.0}) {
      table += fmt::format("{:4.0f} Gbit/s {:8} parameters", gigabits, r1.weights());
      const double level = alpha + 8e-9 * bytes / gigabits + addition;
      for (int levels = 1; levels <= 6; ++levels)
        table += fmt::format("{:9.3f}", compute / (compute + levels * level));
      table += '\n';
    }
  }
  fmt::print(
      "modelled: efficiency t(1) / t(R) from these, a latency of {:.1f} us and the links' nominal rates\n",
      1e6 * alpha);
  fmt::print("{:>32}", "ranks");
  for (int levels = 1; levels <= 6; ++levels) fmt::print("{:9}", 1 << levels);
  fmt::print("\n{}", table);
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
