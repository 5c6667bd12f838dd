#include "diffusion/precondition.h"

#include <cmath>

#include "tensor/captured.h"

namespace dale {

Network captured(Network network) {
  auto graphs = std::make_shared<Captured>([network](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{network(in[0], in[1]).value()};
  });
  return [network, graphs](const Var& x, const Var& c_noise) -> Var {
    if (recording() || mode(Mode::checks)) return network(x, c_noise);
    const Tensor F = (*graphs)({x.value(), c_noise.value()})[0];
    if (F.device() == Device::cpu) return F;
    const Tensor kept = raw::laid_out_like(F, F.shape());  // the next call writes F again
    raw::copy_into(kept, F);
    return kept;
  };
}

Edm Edm::fitted(const Tensor& y) {
  const std::vector<real> values = y.to_vector();
  double sum = 0, squares = 0;
  for (real v : values) sum += static_cast<double>(v);
  const double n = static_cast<double>(values.size()), mean = sum / n;
  for (real v : values) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  const double deviation = std::sqrt(squares / n);
  if (!std::isfinite(mean) || !(deviation > 0) || !std::isfinite(deviation))
    invalid("the data has mean {} and standard deviation {} in the chart; it must vary and be finite", mean,
            deviation);
  return {mean, deviation};
}

Denoiser Edm::denoiser(Network network) const {
  return [edm = *this, network = std::move(network)](const Var& y, double s) {
    const Var centred = y - edm.mean;
    const Var noise_level = Var(Tensor::full({y.dim(0)}, edm.c_noise(s), y.device()));
    const Var F = network(centred * edm.c_in(s), noise_level);
    return centred * edm.c_skip(s) + F * edm.c_out(s) + edm.mean;
  };
}

}  // namespace dale
