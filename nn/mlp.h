// The multi-layer perceptron: h ← relu(W h + b) layer by layer, the last without relu. Names are
// layers.0.weight, layers.0.bias, layers.1.weight, …
#pragma once

#include "nn/layers.h"

namespace dale {

struct Mlp {
  std::vector<Linear> layers;

  /// widths {784, 128, 10}: 784 inputs, one hidden layer of 128 units, 10 outputs. Throws
  /// std::invalid_argument for fewer than two widths, or one below 1.
  Mlp(const std::vector<Index>& widths, Key key) {
    if (widths.size() < 2)
      invalid("[mlp] {} widths: expected at least an input's and an output's", widths.size());
    for (Index width : widths)
      if (width < 1) invalid("[mlp] a width is {}; it must be positive", width);
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.emplace_back(widths[i], widths[i + 1], key.split(i));
  }

  /// x (N,in) → (N,out)
  Var operator()(const Var& x) const {
    Var h = layers[0](x);
    for (std::size_t i = 1; i < layers.size(); ++i) h = layers[i](relu(h));
    return h;
  }

  void visit(const std::string& prefix, const Visit& f) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].visit(fmt::format("{}layers.{}.", prefix, i), f);
  }
};

}  // namespace dale
