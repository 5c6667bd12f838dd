// y = conv2d(x, W) + b, with b one number an output channel.
#pragma once

#include "nn/module.h"

namespace dale {

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

}  // namespace dale
