// An exponential moving average of the weights, which sampling uses: a ← a + (1 − d)(w − a), (III.14). The
// decay warms up, d_n = min(d, (1 + n)/(10 + n)) at update n, so that the average forgets the random start.
#pragma once

#include "nn/module.h"

namespace dale {

class Ema {
 public:
  Ema(std::vector<NamedParameter> parameters, double decay)
      : parameters_(std::move(parameters)), decay_(decay) {
    for (const auto& p : parameters_) average_.push_back(p.parameter->value().clone());
  }

  /// Takes in the parameters as they are, of any strides. The averages are contiguous and written in place.
  void update() {
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

  /// In the parameters' order.
  const std::vector<Tensor>& average() const { return average_; }

  /// For checkpoints, as Adam's.
  void visit(const std::string& prefix, const VisitTensor& f) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) f(prefix + parameters_[i].name, average_[i]);
  }
  void resume_at(Index updates) { updates_ = updates; }

 private:
  std::vector<NamedParameter> parameters_;
  double decay_;
  std::vector<Tensor> average_;
  Index updates_ = 0;
};

}  // namespace dale
