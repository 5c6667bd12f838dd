#include "nn/optim.h"

namespace dale {

Adam::Adam(std::vector<NamedParameter> parameters, const AdamSettings& settings)
    : parameters_(std::move(parameters)), settings_(settings) {
  for (const auto& p : parameters_) {
    m_.push_back(Tensor::full(p.parameter->shape(), 0, p.parameter->device()));
    v_.push_back(Tensor::full(p.parameter->shape(), 0, p.parameter->device()));
  }
}

void Adam::step(const Vars& gradients, double lr, double scale) {
  if (gradients.size() != parameters_.size())
    invalid("[adam] {} gradients for {} parameters", gradients.size(), parameters_.size());
  ++steps_;
  const double t = static_cast<double>(steps_);
  std::vector<real> values(adam_settings);
  const auto set = [&](AdamSetting which, double value) { values[which] = static_cast<real>(value); };
  set(learning_rate, lr);
  set(beta1, settings_.beta1);
  set(beta2, settings_.beta2);
  set(epsilon, settings_.epsilon);
  set(decay, settings_.decay);
  set(correction1, 1 / (1 - std::pow(settings_.beta1, t)));
  set(correction2, 1 / (1 - std::pow(settings_.beta2, t)));
  set(gradient_scale, scale);
  if (parameters_.empty()) return;
  const Device device = parameters_[0].parameter->device();
  const Tensor settings({adam_settings}, values, device);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& w = parameters_[i].parameter->leaf_value();
    if (!(gradients[i].shape() == w.shape()))
      invalid("[adam] the gradient of {} has shape {}, the parameter {}", parameters_[i].name,
              str(gradients[i].shape()), str(w.shape()));
    kernels(device).adam(settings.cspan(), gradients[i].value().packed().cspan(), m_[i].span(), v_[i].span(), w.span());
  }
}

double global_norm(const Vars& gradients) {
  const NoGrad off;
  double total = 0;
  for (const Var& g : gradients) total += static_cast<double>(sum(square(g)).item());
  return std::sqrt(total);
}

double clip_scale(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

}  // namespace dale
