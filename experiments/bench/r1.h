// The convolutions of the reference workload R1 (nn/unet.h).
#pragma once

#include "tensor/kernels.h"

namespace dale {

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
