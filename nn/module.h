// Modules: plain structs of layers. A module is called like a function and names its parameters to a visitor,
// in the order of their declaration; there is no registry and no base class. Names are those of the usual
// frameworks ("down.0.conv1.weight"), so that their files load here.
//
// Read first: autograd/ops.h.
#pragma once

#include <cmath>
#include <string>

#include "autograd/ops.h"

namespace dale {

using Visit = std::function<void(const std::string& name, Var& parameter)>;
/// The same for what is not a parameter: the state of an optimiser or an average.
using VisitTensor = std::function<void(const std::string& name, Tensor& tensor)>;

/// Of the layers of a list, which are numbered: "down.0.weight", …
template <class Layer>
void visit_list(const std::string& prefix, std::vector<Layer>& layers, const Visit& f) {
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i].visit(fmt::format("{}{}.", prefix, i), f);
}

struct NamedParameter {
  std::string name;
  Var* parameter;  // into the module, which must outlive this
};

/// All parameters of a module, in order.
template <class Module> std::vector<NamedParameter> parameters(Module& module) {
  std::vector<NamedParameter> all;
  module.visit("", [&](const std::string& name, Var& p) { all.push_back({name, &p}); });
  return all;
}

/// Their values, which gradients are taken by.
inline Vars variables(const std::vector<NamedParameter>& parameters) {
  Vars all;
  for (const auto& p : parameters) all.push_back(*p.parameter);
  return all;
}

/// U[−1/√fan_in, 1/√fan_in) (III.1): the customary start for weights and biases of linear and convolutional
/// layers. The numbers depend on the key alone.
inline Var uniform_parameter(Key key, const Shape& shape, Index fan_in) {
  const real bound = static_cast<real>(1 / std::sqrt(static_cast<double>(fan_in)));
  return parameter(((2 * Var(uniform(key, shape)) - 1) * bound).value());
}

}  // namespace dale
