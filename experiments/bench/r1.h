// The reference workload R1 (nn/unet.h), and its convolutions.
#pragma once

#include "nn/optim.h"
#include "nn/unet.h"

namespace dale {

/// The network and a batch of N, on a device; with `channels` and N otherwise, what the quick profile trains.
struct R1 {
  ScoreUNet net;
  std::vector<NamedParameter> all;
  std::vector<Tensor> inputs;  // x, t, and what the loss compares with

  explicit R1(Index N, Device device = Device::cpu, Index channels = 32)
      : net({.channels = channels}, Key{1}),
        all(parameters(net)),
        inputs{uniform(Key{2}, {N, 1, 28, 28}, 0, device), uniform(Key{3}, {N}, 0, device),
               normal(Key{4}, {N, 1, 28, 28}, 0, device)} {
    for (const auto& p : all) p.parameter->leaf_value() = p.parameter->value().to(device);
  }
  Var operator()(const std::vector<Tensor>& in) const { return net(in[0], in[1]); }
  Var loss(const std::vector<Tensor>& in) const { return mean_squared_error((*this)(in), in[2]); }
  Index weights() const {
    Index count = 0;
    for (const auto& p : all) count += p.parameter->size();
    return count;
  }
};

/// A convolution of R1 and how many of them it has: `in` channels of size×size pixels to `out`.
struct Layer {
  Index in, out, size, taps, stride, times;

  std::string name() const {
    return fmt::format("{} to {} at {}x{}, {}x{}{}", in, out, size, size, taps, taps,
                       stride > 1 ? ", halved" : "");
  }
  ConvShape shape(Index N) const {
    const Index o = size / stride, pad = taps / 2;
    return {N, in, size, size, out, taps, taps, o, o, stride, stride, pad, pad, 1, 1};
  }
  /// By the direct method, an image, forward; two a multiply-add.
  Index operations() const { return 2 * in * out * taps * taps * (size / stride) * (size / stride); }
};
constexpr Layer layers[] = {
    {1, 32, 28, 3, 1, 1},  {32, 32, 28, 3, 1, 3}, {32, 32, 28, 3, 2, 1},  {32, 64, 14, 3, 1, 1},
    {32, 64, 14, 1, 1, 1}, {64, 64, 14, 3, 1, 3}, {64, 64, 14, 3, 2, 1},  {64, 64, 7, 3, 1, 5},
    {128, 64, 7, 3, 1, 1}, {128, 64, 7, 1, 1, 1}, {128, 64, 14, 3, 1, 1}, {128, 64, 14, 1, 1, 1},
    {64, 64, 28, 3, 1, 1}, {96, 32, 28, 3, 1, 1}, {96, 32, 28, 1, 1, 1},  {32, 1, 28, 3, 1, 1}};

/// Of all of them.
inline Index r1_operations() {
  Index total = 0;
  for (const Layer& layer : layers) total += layer.times * layer.operations();
  return total;
}

}  // namespace dale
