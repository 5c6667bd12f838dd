// The layers that networks are made of. Read first: module.h.
#pragma once

#include "nn/module.h"

namespace dale {

/// y = x Wᵀ + b
struct Linear {
  Var weight, bias;  // (out,in), (out)

  Linear(Index in, Index out, Key key)
      : weight(uniform_parameter(key.split(0), {out, in}, in)),
        bias(uniform_parameter(key.split(1), {out}, in)) {}

  /// x (N,in) → (N,out)
  Var operator()(const Var& x) const { return matmul(x, weight, false, true) + bias; }

  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
};

/// y = conv2d(x, W) + b, with b one number an output channel.
struct Conv2d {
  Var weight, bias;  // (out,in,k,k), (out)
  Window window;

  Conv2d(Index in, Index out, Index k, Key key, Index stride = 1, Index padding = 0, Index dilation = 1)
      : weight(uniform_parameter(key.split(0), {out, in, k, k}, in * k * k)),
        bias(uniform_parameter(key.split(1), {out}, in * k * k)),
        window{{stride, stride}, {padding, padding}, {dilation, dilation}} {}

  /// x (N,in,H,W) → (N,out,OH,OW)
  Var operator()(const Var& x) const { return conv2d(x, weight, bias, Var(), window); }
  /// The same plus shift (N,out), one number per image and channel; or plus residual (N,out,OH,OW).
  Var shifted(const Var& x, const Var& shift) const { return conv2d(x, weight, shift + bias, Var(), window); }
  Var plus(const Var& x, const Var& residual) const { return conv2d(x, weight, bias, residual, window); }
  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
};

/// Group normalisation (III.2) (Wu & He 2018), optionally followed by SiLU in the same pass over memory.
struct GroupNorm {
  Index groups;
  Var weight, bias;  // (C), (C): γ = 1, β = 0 at the start

  GroupNorm(Index groups, Index channels)
      : groups(groups),
        weight(parameter(Tensor::full({channels}, 1))),
        bias(parameter(Tensor::full({channels}, 0))) {}

  /// x (N,C,…) → same shape
  Var operator()(const Var& x) const { return group_norm(x, weight, bias, groups); }
  Var then_silu(const Var& x) const { return group_norm(x, weight, bias, groups, 1e-5, true); }

  void visit(const std::string& prefix, const Visit& f) {
    f(prefix + "weight", weight);
    f(prefix + "bias", bias);
  }
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

}  // namespace dale
