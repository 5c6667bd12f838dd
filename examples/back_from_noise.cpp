// Data multiplied by noise, and back. log x₀ ~ N(0.2, 0.05): its law at every noise level is known, and so is
// its denoiser, and no network is needed. Two samplers walk from log-normal noise of deviation 4 to the data:
// Dale–Langevin multiplies by a random positive factor per step, DPM-Solver++(2M) by a determined one.
#include "diffusion/exact.h"

using namespace dale;

void report(const char* name, double mean, double deviation) {
  fmt::print("{:<34}{:.2f}  {:.3f}\n", name, mean, deviation);
}

void report(const char* name, const Var& y) {
  const Var centre = mean(y);
  report(name, centre.item(), std::sqrt(mean(square(y - centre)).item()));
}

int main() {
  const LogNormal data{0.2, 0.05};  // mean and variance of log x₀
  const Denoiser D = data.denoiser();
  const auto levels = [](int steps) { return edm_levels(steps, 0.002, 4); };
  fmt::print("mean and deviation of log x\n");
  const Var start = normal_prior({100000}, data.a, std::sqrt(data.v + 4 * 4), Key{1});
  report("the start", start);
  report("Dale-Langevin, 200 evaluations", take_steps(D, start, dale_langevin_steps(levels(200)), Key{1}));
  report("DPM-Solver++(2M), 40 evaluations", dpm_solver(D, start, levels(40)));
  report("the data", data.a, std::sqrt(data.v));

  // One step by hand, from x = e^1.2 at level 1 down to level 0.8, with Z = 0.5.
  const Var x = exp(Var(Tensor::full({1}, 1.2))), u = D(log(x), 1) - log(x);
  const double difference = 1 - 0.8 * 0.8;
  const Var exponent = difference * u + std::sqrt(difference) * 0.5;
  fmt::print("x {:.4f}, h {:.4f}, exponent {:.4f}, new x {:.4f}\n", x.item(), u.item() - 1, exponent.item(),
             (x * exp(exponent)).item());
  const Steps two = dale_langevin_steps({1, 0.8, 0.6});
  fmt::print("variance at level 1 {:.4f}, after one step {:.4f}, after two {:.4f}\n", data.v + 1,
             data.variance_after({two[0]}), data.variance_after(two));
}
