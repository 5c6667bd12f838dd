// Compiled for the processor at hand (Makefile), unlike the rest.
#include "experiments/bench/peak.h"

#include "tensor/cpu/lanes.h"

namespace dale {
namespace {

constexpr int chains = 12;  // enough to hide the latency of a multiply-add
constexpr Index rounds = 100000;

}  // namespace

Index burst_size() { return rounds * chains * cpu::lanes; }

double multiply_add_burst() {
  volatile real start = 1, ratio = real(0.999), step = real(0.001);  // not known when this is compiled
  const cpu::Lanes factor = cpu::Lanes{} + ratio, term = cpu::Lanes{} + step;
  cpu::Lanes sum[chains];
  for (cpu::Lanes& s : sum) s = cpu::Lanes{} + start;
  for (Index i = 0; i < rounds; ++i)
    for (cpu::Lanes& s : sum) s = s * factor + term;
  double total = 0;
  for (const cpu::Lanes& s : sum) total += static_cast<double>(s[0]);
  return total;
}

}  // namespace dale
