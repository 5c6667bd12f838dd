// Convolution as the three derivatives (II.3) of one trilinear form T(x,w,y), (II.2). T is linear in each
// argument, so each of the three ops is bilinear and each of its two rules is one of the three again, (II.5):
// the family is closed, and derivatives of any order are made of the same three kernels. What conv2d adds to
// its result passes the gradient through.
#include <algorithm>

#include "autograd/ops.h"

namespace dale {
namespace {

ConvShape conv_shape(const char* op, const Shape& x, const Shape& w, const Window& k) {
  if (x.rank() != 4 || w.rank() != 4)
    invalid("[{}] x {} must be (N,C,H,W) and w {} must be (O,C,kh,kw)", op, str(x), str(w));
  if (x[1] != w[1]) invalid("[{}] x {} has C={} but w {} expects C={}", op, str(x), x[1], str(w), w[1]);
  std::array<Index, 2> out;
  const auto is_size = [](Index d) { return d >= 0; };
  if (!std::all_of(x.begin(), x.end(), is_size) || !std::all_of(w.begin(), w.end(), is_size))
    invalid("[{}] x {} and w {} must have sizes of 0 or more", op, str(x), str(w));
  for (int i = 0; i < 2; ++i) {
    if (k.stride[i] < 1 || k.dilation[i] < 1 || k.padding[i] < 0)
      invalid("[{}] stride {} and dilation {} must be at least 1 and padding {} at least 0", op, k.stride[i],
              k.dilation[i], k.padding[i]);
    if (k.padding[i] > largest_size || k.dilation[i] > largest_size / std::max<Index>(1, w[2 + i]))
      invalid("[{}] padding {} and dilation {} reach further than an array can", op, k.padding[i],
              k.dilation[i]);
    const Index reach = k.dilation[i] * (w[2 + i] - 1) + 1, padded = x[2 + i] + 2 * k.padding[i];
    if (w[2 + i] < 1 || reach > padded)
      invalid("[{}] the kernel {} reaches over {} pixels but x {} with padding {} has {}: pad more", op,
              str(w), reach, str(x), k.padding[i], padded);
    out[i] = (padded - reach) / k.stride[i] + 1;
  }
  return {x[0],   x[1],        x[2],        x[3],         w[0],         w[2],          w[3],         out[0],
          out[1], k.stride[0], k.stride[1], k.padding[0], k.padding[1], k.dilation[0], k.dilation[1]};
}

void check_output(const char* op, const ConvShape& s, const Var& y) {
  const Shape expected{s.N, s.O, s.OH, s.OW};
  if (!(y.shape() == expected))
    invalid("[{}] y has shape {}, expected {}", op, str(y.shape()), str(expected));
}

void check_shift(const ConvShape& s, const Var& shift) {
  const Shape channel{s.O}, image_and_channel{s.N, s.O};
  if (!(shift.shape() == channel) && !(shift.shape() == image_and_channel))
    invalid("[conv2d] shift has shape {}, expected {} or {}", str(shift.shape()), str(channel),
            str(image_and_channel));
}

/// g with its channels side by side, as all that reads it wants it: packed once.
Var side_by_side(const Var& g) {
  return recording() ? g : Var(raw::channels_first(raw::channels_last(g.value()).packed()));
}

}  // namespace

Var conv2d(const Var& x, const Var& w, const Window& k) { return conv2d(x, w, Var(), Var(), k); }

Var conv2d(const Var& x, const Var& w, const Var& shift, const Var& residual, const Window& k) {
  same_device(x.device(), w.device(), "conv2d");
  const ConvShape s = conv_shape("conv2d", x.shape(), w.shape(), k);
  if (shift.value().defined()) check_shift(s, shift);
  if (residual.value().defined()) check_output("conv2d", s, residual);
  for (const Var& added : {shift, residual})
    if (added.value().defined()) same_device(x.device(), added.device(), "conv2d");
  return record(
      "conv2d", raw::conv2d(s, x.value(), w.value(), shift.value(), residual.value()),
      {x, w, shift, residual}, keep_others(x, w), [k](const Var& upstream, const Vars& in, const Var&) {
        const Var &x = in[0], &w = in[1], &shift = in[2], g = side_by_side(upstream);
        const bool in_one_pass = !recording() && w.tracked() && shift.tracked() && shift.rank() == 1;
        Tensor of_shift;  // made with w's gradient
        return each(
            in, [&] { return conv2d_input(g, w, x.shape(), k); },
            [&] {
              if (!in_one_pass) return conv2d_weight(x, g, w.shape(), k);
              const ConvShape s = conv_shape("conv2d_weight", x.shape(), w.shape(), k);
              return Var(raw::conv2d_weight(s, x.value(), g.value(), &of_shift));
            },
            [&] {
              return in_one_pass ? Var(of_shift) : sum(g, shift.rank() == 1 ? Axes{0, 2, 3} : Axes{2, 3});
            },
            [&] { return g; });
      });
}

Var conv2d_input(const Var& y, const Var& w, const Shape& x_shape, const Window& k) {
  same_device(y.device(), w.device(), "conv2d_input");
  const ConvShape s = conv_shape("conv2d_input", x_shape, w.shape(), k);
  check_output("conv2d_input", s, y);
  return record("conv2d_input", raw::conv2d_input(s, y.value(), w.value()), {y, w}, keep_others(y, w),
                [k](const Var& g, const Vars& in, const Var&) {
                  const Var &y = in[0], &w = in[1];
                  return each(
                      in, [&] { return conv2d(g, w, k); }, [&] { return conv2d_weight(g, y, w.shape(), k); });
                });
}

Var conv2d_weight(const Var& x, const Var& y, const Shape& w_shape, const Window& k) {
  same_device(x.device(), y.device(), "conv2d_weight");
  const ConvShape s = conv_shape("conv2d_weight", x.shape(), w_shape, k);
  check_output("conv2d_weight", s, y);
  return record("conv2d_weight", raw::conv2d_weight(s, x.value(), y.value()), {x, y}, keep_others(x, y),
                [k](const Var& g, const Vars& in, const Var&) {
                  const Var &x = in[0], &y = in[1];
                  return each(
                      in, [&] { return conv2d_input(y, g, x.shape(), k); }, [&] { return conv2d(x, g, k); });
                });
}

}  // namespace dale
