#include "diffusion/process.h"

#include <cmath>

#include "diffusion/additive.h"
#include "diffusion/multiplicative.h"

namespace dale {

double LinearRate::time_of(double value) const {
  // slope t²/2 + at0 t − value = 0, solved without cancellation.
  const double root = std::sqrt(at0 * at0 + 2 * slope * value);
  return value == 0 ? 0 : 2 * value / (at0 + root);
}

void LinearRate::expect_noise(const std::string& process, double T) const {
  const double first = (*this)(0), last = (*this)(T);
  if (!(T > 0) || !(first >= 0) || !(last >= 0) || !(integral(T) > 0))
    invalid("{} needs T > 0 and a variance rate that is not negative, not T {} and a rate from {} to {}",
            process, T, first, last);
}

Prior Process::prior(double data_mean, double data_deviation) const {
  const Marginal law = marginal(T());
  return {law.a * data_mean + law.m, scalar::hypot(law.a * data_deviation, law.s)};
}

Var Process::sample(const Var& x0, double t, const Var& z) const {
  const Marginal law = marginal(t);
  return unchart(law.a * chart(x0) + law.m + law.s * z);
}

Var Process::conditional_chart_score(const Var& y, const Var& y0, double t) const {
  const Marginal law = marginal(t);
  return -(y - law.a * y0 - law.m) / (law.s * law.s);
}

Var Process::conditional_hyvarinen_score(const Var& x, const Var& x0, double t) const {
  const Var y = chart(x);
  return hyvarinen_score(conditional_chart_score(y, chart(x0), t), y);
}

const Process& process_named(std::string_view name) {
  // On EDM's clock time is the noise level: s(t) = t, σ² = 2t, and μ = t.
  static const GeometricBrownianMotion gbm({0, 2}, {0, 1}, 80, "gbm"), paper;
  static const VarianceExploding ve({0, 2}, 80);
  static const VariancePreserving vp;
  for (const Process* p : std::initializer_list<const Process*>{&gbm, &paper, &ve, &vp})
    if (p->name() == name) return *p;
  unknown_name("process", std::string(name), process_names());
}

const std::vector<std::string>& process_names() {
  static const std::vector<std::string> names{"gbm", "gbm-paper", "ve", "vp"};
  return names;
}

}  // namespace dale
