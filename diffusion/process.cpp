#include "diffusion/process.h"

#include <cmath>

#include "diffusion/processes.h"

namespace dale {

const Process& process_named(const std::string& name) {
  static const Gbm gbm;
  static const VarianceExploding ve;
  for (const Process* p : {static_cast<const Process*>(&gbm), static_cast<const Process*>(&ve)})
    if (p->name() == name) return *p;
  unknown_name("process", name, process_names());
}

const std::vector<std::string>& process_names() {
  static const std::vector<std::string> names{"gbm", "ve"};
  return names;
}

Var embed_pixels(const Var& pixels) { return 1 + pixels; }

Var pixels_of(const Var& x) {
  const Tensor one = Tensor::full({}, 1, x.device()).broadcast_to(x.shape());
  const Tensor two = Tensor::full({}, 2, x.device()).broadcast_to(x.shape());
  return Var(raw::binary(Binary::minimum, raw::binary(Binary::maximum, x.value(), one), two)) - 1;
}

GeometricBrownianMotion GeometricBrownianMotion::driftless(double sigma, double T) {
  if (!(sigma > 0) || !(T > 0)) invalid("geometric Brownian motion needs sigma > 0 and T > 0, not {} and {}", sigma, T);
  return {sigma, sigma * sigma / 2, T};
}

double GeometricBrownianMotion::s(double t) const { return sigma * std::sqrt(t); }

}  // namespace dale
