#include "nn/optim.h"

#include <limits>

namespace dale {
namespace {

/// Throws std::invalid_argument unless there is one gradient a parameter, in its shape.
void check_gradients(const char* op, const std::vector<NamedParameter>& parameters, const Vars& gradients) {
  if (gradients.size() != parameters.size())
    invalid("[{}] {} gradients for {} parameters", op, gradients.size(), parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!(gradients[i].shape() == parameters[i].parameter->shape()))
      invalid("[{}] the gradient of {} has shape {}, the parameter {}", op, parameters[i].name,
              str(gradients[i].shape()), str(parameters[i].parameter->shape()));
}

std::vector<Tensor> zeros_like(const std::vector<NamedParameter>& parameters) {
  std::vector<Tensor> zeros;
  for (const auto& p : parameters)
    zeros.push_back(Tensor::full(p.parameter->shape(), 0, p.parameter->device()));
  return zeros;
}

/// w ← w − rate g, in place.
void descend(Tensor& w, const Var& g, double rate) {
  raw::binary_into(Binary::subtract, w, (g * static_cast<real>(rate)).value());
}

/// In: the factor of gradients, (1 − momentum) scale, then a rate per kernel, in one array; gradient and
/// momentum of each kernel. Out: the next momentum of each, and what its weights lose.
std::vector<Tensor> muon_updates(double momentum, const std::vector<Tensor>& in) {
  const real keep = static_cast<real>(momentum);
  std::vector<Tensor> made;
  for (std::size_t i = 1, kernel = 1; i + 1 < in.size(); i += 2, ++kernel) {
    const auto setting = [&](Index k) { return slice(in[0], 0, k, k + 1); };
    const Var g = in[i] * setting(0), m = keep * Var(in[i + 1]) + g;
    const Index rows = g.dim(0), columns = g.size() / rows;
    const Var X = orthogonalised(reshape(keep * m + g, {rows, columns}));
    made.push_back(m.value());
    made.push_back((reshape(X, g.shape()) * setting(static_cast<Index>(kernel))).value());
  }
  return made;
}

}  // namespace

GradientDescent::GradientDescent(std::vector<NamedParameter> parameters, double momentum)
    : parameters_(std::move(parameters)), momentum_(momentum), velocity_(zeros_like(parameters_)) {}

void GradientDescent::step(const Vars& gradients, double lr, double scale) {
  check_gradients("gradient descent", parameters_, gradients);
  const NoGrad off;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Var v = Var(velocity_[i]) * static_cast<real>(momentum_) + gradients[i] * static_cast<real>(scale);
    velocity_[i] = v.value();
    descend(parameters_[i].parameter->leaf_value(), v, lr);
  }
}

Adam::Adam(std::vector<NamedParameter> parameters, const AdamSettings& settings)
    : parameters_(std::move(parameters)),
      settings_(settings),
      m_(zeros_like(parameters_)),
      v_(zeros_like(parameters_)) {}

void Adam::step(const Vars& gradients, double lr, double scale) {
  check_gradients("adam", parameters_, gradients);
  ++steps_;
  const double t = static_cast<double>(steps_);
  std::vector<real> values(adam_settings);
  const auto set = [&](AdamSetting which, double value) { values[which] = static_cast<real>(value); };
  set(learning_rate, lr);
  set(beta1, settings_.beta1);
  set(beta2, settings_.beta2);
  set(epsilon, settings_.epsilon);
  set(decay, settings_.decay);
  set(correction1, 1 / (1 - scalar::power(settings_.beta1, t)));
  set(correction2, 1 / (1 - scalar::power(settings_.beta2, t)));
  set(gradient_scale, scale);
  if (parameters_.empty()) return;
  const Device device = parameters_[0].parameter->device();
  const Tensor settings({adam_settings}, values, device);
  std::vector<Tensor> packed;
  std::vector<AdamArrays> arrays;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    packed.push_back(gradients[i].value().packed());
    arrays.push_back(
        {packed.back().cspan(), m_[i].span(), v_[i].span(), parameters_[i].parameter->leaf_value().span()});
  }
  kernels(device).adam(settings.cspan(), arrays);
}

void Adam::visit(const std::string& prefix, const VisitTensor& f) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    f(prefix + "m." + parameters_[i].name, m_[i]);
    f(prefix + "v." + parameters_[i].name, v_[i]);
  }
}

Var orthogonalised(const Var& x) {
  const bool tall = x.dim(0) > x.dim(1);  // then the smaller product is XᵀX, and works from the right
  Var X = x / (norm(x) + std::numeric_limits<real>::min());
  for (int k = 0; k < 5; ++k) {
    const Var A = matmul(X, X, tall, !tall), P = -4.7750 * A + 2.0315 * matmul(A, A);
    X = 3.4445 * X + (tall ? matmul(X, P) : matmul(P, X));
  }
  return X;
}

Muon::Muon(std::vector<NamedParameter> parameters, const MuonSettings& settings)
    : parameters_(std::move(parameters)),
      rate_(settings.rate),
      momentum_(settings.momentum),
      updates_([momentum = momentum_](const auto& in) { return muon_updates(momentum, in); }),
      adam_([&] {
        std::vector<NamedParameter> others;
        for (const auto& p : parameters_)
          if (!settings.orthogonalises(p)) others.push_back(p);
        return others;
      }()) {
  for (const auto& p : parameters_)
    m_.push_back(settings.orthogonalises(p) ? Tensor::full(p.parameter->shape(), 0, p.parameter->device())
                                            : Tensor());
}

void Muon::step(const Vars& gradients, double lr, double scale) {
  check_gradients("muon", parameters_, gradients);
  const NoGrad off;
  Vars others;
  std::vector<real> settings{static_cast<real>((1 - momentum_) * scale)};
  std::vector<Tensor> inputs(1);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!m_[i].defined()) {
      others.push_back(gradients[i]);
      continue;
    }
    const double rows = static_cast<double>(gradients[i].dim(0)),
                 columns = static_cast<double>(gradients[i].size()) / rows;
    settings.push_back(static_cast<real>(lr * rate_ * std::sqrt(std::max(1.0, rows / columns))));
    inputs.insert(inputs.end(), {gradients[i].value(), m_[i]});
  }
  if (inputs.size() > 1) {
    inputs[0] = Tensor({std::ssize(settings)}, settings, inputs[1].device());
    // Anomaly looks at results, which a graph cannot.
    const std::vector<Tensor> made = mode(Mode::checks) ? muon_updates(momentum_, inputs) : updates_(inputs);
    for (std::size_t i = 0, k = 0; i < parameters_.size(); ++i) {
      if (!m_[i].defined()) continue;
      raw::copy_into(m_[i], made[k++]);
      raw::binary_into(Binary::subtract, parameters_[i].parameter->leaf_value(), made[k++]);
    }
  }
  adam_.step(others, lr, scale);
}

void Muon::visit(const VisitTensor& f) {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (m_[i].defined()) f("muon." + parameters_[i].name, m_[i]);
  adam_.visit("adam.", f);
}

ExponentiatedGradient::ExponentiatedGradient(std::vector<NamedParameter> parameters,
                                             const ExponentiatedGradientSettings& settings)
    : parameters_(std::move(parameters)), ordinary_rate_(settings.ordinary_rate) {
  for (const auto& p : parameters_) {
    signs_.emplace_back();
    if (!settings.multiplies(p)) continue;
    std::vector<real> w = p.parameter->value().to_vector();
    for (real& v : w) v = std::copysign(real{1}, v);
    signs_.back() = Tensor(p.parameter->shape(), w, p.parameter->device());
  }
}

void ExponentiatedGradient::step(const Vars& gradients, double lr, double scale) {
  check_gradients("exponentiated gradient", parameters_, gradients);
  const NoGrad off;
  constexpr real smallest = std::numeric_limits<real>::min(), largest = std::numeric_limits<real>::max();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& w = parameters_[i].parameter->leaf_value();
    if (!signs_[i].defined()) {
      descend(w, gradients[i], lr * scale * ordinary_rate_);
      continue;
    }
    const Var sign = signs_[i], magnitude = clamp(abs(Var(w)), smallest, largest);
    const Var factor = exp(sign * gradients[i] * static_cast<real>(-lr * scale));
    raw::copy_into(w, (sign * clamp(magnitude * factor, smallest, largest)).value());
  }
}

Ema::Ema(std::vector<NamedParameter> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  for (const auto& p : parameters_) average_.push_back(p.parameter->value().clone());
}

void Ema::update() {
  const double n = static_cast<double>(updates_++);
  const real weight = static_cast<real>(1 - std::min(decay_, (1 + n) / (10 + n)));
  if (parameters_.empty()) return;
  const Device device = average_[0].device();
  const Tensor t({1}, {weight}, device);
  std::vector<Tensor> packed;
  std::vector<LerpArrays> arrays;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    packed.push_back(parameters_[i].parameter->value().packed());
    arrays.push_back({packed.back().cspan(), average_[i].span()});
  }
  kernels(device).lerp(t.cspan(), arrays);
}

void Ema::visit(const std::string& prefix, const VisitTensor& f) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) f(prefix + parameters_[i].name, average_[i]);
}

Tensor squared_norms(const Vars& gradients) {
  if (gradients.empty()) return Tensor(Shape{0});
  std::vector<Tensor> values;
  for (const Var& g : gradients) values.push_back(g.value());
  return raw::squared_norms(values);
}

double global_norm(const Vars& gradients) {
  double total = 0;
  for (real square : squared_norms(gradients).to_vector()) total += static_cast<double>(square);
  return std::sqrt(total);
}

double clip_scale(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

}  // namespace dale
