// The layers that networks are made of, and the simplest network. Read first: module.h.
#pragma once

#include "nn/module.h"

namespace dale {

/// What Linear, Conv2d and GroupNorm have.
struct Affine {
  Var weight, bias;

  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
};

/// y = x Wᵀ + b: weight (out,in), bias (out).
struct Linear : Affine {
  Linear(Index in, Index out, Key key)
      : Affine{uniform_parameter(key.split(0), {out, in}, in), uniform_parameter(key.split(1), {out}, in)} {}

  /// x (N,in) → (N,out)
  Var operator()(const Var& x) const { return matmul(x, weight, false, true) + bias; }
};

/// y = conv2d(x, W) + b: weight (out,in,k,k), and a bias (out) of one number an output channel.
struct Conv2d : Affine {
  Window window;

  Conv2d(Index in, Index out, Index k, Key key, Index stride = 1, Index padding = 0, Index dilation = 1)
      : Affine{uniform_parameter(key.split(0), {out, in, k, k}, in * k * k),
               uniform_parameter(key.split(1), {out}, in * k * k)},
        window{{stride, stride}, {padding, padding}, {dilation, dilation}} {}

  /// x (N,in,H,W) → (N,out,OH,OW)
  Var operator()(const Var& x) const { return conv2d(x, weight, bias, Var(), window); }
  /// The same plus shift (N,out), one number per image and channel; or plus residual (N,out,OH,OW).
  Var shifted(const Var& x, const Var& shift) const { return conv2d(x, weight, shift + bias, Var(), window); }
  Var plus(const Var& x, const Var& residual) const { return conv2d(x, weight, bias, residual, window); }
};

/// Group normalisation (III.2) (Wu & He 2018), optionally followed by SiLU in the same pass over memory:
/// weight γ (C), 1 at the start, and bias β (C), 0.
struct GroupNorm : Affine {
  Index groups;

  GroupNorm(Index groups, Index channels)
      : Affine{parameter(Tensor::full({channels}, 1)), parameter(Tensor::full({channels}, 0))},
        groups(groups) {}

  /// x (N,C,…) → same shape
  Var operator()(const Var& x) const { return group_norm(x, weight, bias, groups); }
  Var then_silu(const Var& x) const { return group_norm(x, weight, bias, groups, 1e-5, true); }
};

/// Dropout (Srivastava et al. 2014): in training each element is 0 with probability p and else multiplied by
/// 1/(1 − p), so that its mean stays. The mask is a function of a key, element e of x taking element e of the
/// key's stream, hence the same whenever and wherever a step is run; to a gradient of any order it is a
/// constant. The keys lie in the machine's memory, where a captured step finds those of its turn.
struct Dropout {
  double rate = 0;        // p; 0 leaves x as it is
  IntTensor states = {};  // (layers,4), by random_state: a key a layer

  /// Of one layer.
  Var operator()(const Var& x) const {
    if (rate == 0) return x;
    if (!states.defined()) invalid("[dropout] a rate without keys: give states, (layers,4)");
    return x * (Var(bernoulli(states, x.shape(), 1 - rate)) * static_cast<real>(1 / (1 - rate)));
  }
  Dropout layer(Index n) const {
    return rate == 0 || !states.defined() ? *this : Dropout{rate, states.slice(0, n, n + 1)};
  }

  /// Of `states` where layer n has child n of a key.
  static std::vector<std::int32_t> words(Key key, Index layers) {
    std::vector<std::int32_t> all;
    for (Index n = 0; n < layers; ++n)
      for (std::int32_t word : random_state(key.split(static_cast<std::uint64_t>(n)))) all.push_back(word);
    return all;
  }
};

/// The multi-layer perceptron: h ← relu(W h + b) layer by layer, the last without relu. Names are
/// layers.0.weight, layers.0.bias, layers.1.weight, …
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

  void visit(const std::string& prefix, const Visit& f) { visit_list(prefix + "layers.", layers, f); }
};

}  // namespace dale
