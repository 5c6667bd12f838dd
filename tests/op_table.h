// The one table of ops: every op, most in several shapes, and composites of them, as functions of their
// inputs. The inputs, and what PyTorch makes of them, are in tests/fixtures/torch_agreement.safetensors by
// the same names.
#pragma once

#include <cmath>
#include <map>

#include "autograd/transforms.h"

namespace dale {

using Table = std::map<std::string, Function>;

namespace {

IntTensor rows(const Vars& x) { return IntTensor({4}, {2, 0, 2, 1}).to(x[0].device()); }

// clang-format off
#define OF(...) [=](const Vars& x) -> Var { return __VA_ARGS__; }
#define ONE(op) {#op, OF(op(x[0]))}
#define TWO(name, op) {name, OF(op(x[0], x[1]))}, {name " broadcast", OF(op(x[0], x[1]))}
#define THREE(op) {#op, OF(op(x[0], x[1], x[2]))}
#define CHOSEN(compare) {#compare, OF(compare(x[0], x[1]) * x[0] * x[1])}  // itself constant
#define OVER(op) \
  {#op, OF(op(x[0]))}, {#op " of axes", OF(op(x[0], {0, -1}))}, {#op " kept", OF(op(x[0], {1}, true))}
#define POOL(op) {#op, OF(op(x[0], 2, 2))}, {#op " padded", OF(op(x[0], 3, 2, 1))}
#define GROW(op) {#op " 2", OF(op(x[0], 2))}, {#op " 3", OF(op(x[0], 3))}

Table elementwise() {
  return {ONE(exp), ONE(expm1), ONE(log), ONE(log1p), ONE(sqrt), ONE(rsqrt), ONE(square), ONE(reciprocal),
          ONE(sin), ONE(cos), ONE(tanh), ONE(erf), ONE(sigmoid), ONE(softplus), ONE(silu), ONE(relu),
          ONE(gelu), ONE(abs), ONE(elu), {"elu 1.3", OF(elu(x[0], 1.3))}, {"negate", OF(-x[0])},
          TWO("add", operator+), TWO("subtract", operator-), TWO("multiply", operator*),
          TWO("divide", operator/), TWO("maximum", maximum), TWO("minimum", minimum), TWO("power", power),
          CHOSEN(greater), CHOSEN(greater_equal), CHOSEN(less), CHOSEN(less_equal), CHOSEN(equal),
          CHOSEN(not_equal), {"clamp", OF(clamp(x[0], -0.7, 1.1))}, {"power 2.5", OF(power(x[0], 2.5))},
          {"power 3 of either sign", OF(power(x[0], 3))}, {"detach", OF(x[0] * (x[0] * x[0]).detach())},
          {"power 2 of zeros, too", OF(power(x[0], 2))}, {"masked", OF(masked(x[0], greater(x[1], x[0])))},
          {"numbers on both sides", OF(0.7 * (0.5 + (2 - 3 / (((x[0] + 3) / 2 - 0.25) * 1.5))))},
          {"where", OF(where(greater(x[0], x[1]), x[1] * x[2], x[2]))}};
}

Table shapes_and_reductions() {
  return {{"reshape", OF(reshape(x[0], {6, -1}))}, {"permute", OF(permute(x[0], {2, 0, -2}))},
          {"slice", OF(slice(x[0], 1, 1, 3))}, {"slice with step", OF(slice(x[0], -1, 1, 6, 2))},
          {"place", OF(place(x[0], 1, 1, 2, 8))}, {"pad", OF(pad(x[0], -2, 1, 2))},
          {"flip", OF(flip(x[0], 1))}, {"concat", OF(concat(x, 1))}, {"stack", OF(stack(x, 1))},
          {"broadcast_to", OF(broadcast_to(x[0], {2, 3, 4}))}, {"sum_to", OF(sum_to(x[0], {3, 1}))},
          {"split", OF(concat({split(x[0], {2, 0, 3}, 1)[2], split(x[0], {2, 3}, 1)[0]}, 1) * x[0])},
          {"gather", OF(gather(x[0], rows(x)))}, {"scatter_add", OF(scatter_add(x[0], rows(x), 5))},
          {"embedding", OF(embedding(x[0], rows(x).reshape({2, 2})))},
          {"one_hot of argmax", OF(one_hot(argmax(x[0], 1), 5) * x[0])},
          OVER(sum), OVER(mean), OVER(max), OVER(min), OVER(logsumexp), OVER(norm),
          {"variance", OF(variance(x[0]))}, {"variance of axes, kept", OF(variance(x[0], {0, 2}, true, 1))}};
}

Table products() {
  Table t{TWO("matmul", matmul), {"matmul batched", OF(matmul(x[0], x[1]))},
          {"matmul ta", OF(matmul(x[0], x[1], true))}, {"matmul tb", OF(matmul(x[0], x[1], false, true))},
          {"matmul ta tb", OF(matmul(x[0], x[1], true, true))},
          {"matmul batched ta tb", OF(matmul(x[0], x[1], true, true))}};
  const auto triad = [&](const std::string& name, const Shape& image, const Shape& kernel, const Window& k) {
    t["conv2d " + name] = OF(conv2d(x[0], x[1], k));
    t["conv2d_input " + name] = OF(conv2d_input(x[0], x[1], image, k));
    t["conv2d_weight " + name] = OF(conv2d_weight(x[0], x[1], kernel, k));
  };
  triad("plain", {2, 2, 4, 5}, {3, 2, 3, 3}, {});
  triad("padding", {1, 2, 3, 4}, {2, 2, 3, 3}, {{1, 1}, {1, 1}, {1, 1}});
  triad("stride", {2, 2, 5, 6}, {2, 2, 3, 3}, {{2, 2}, {1, 1}, {1, 1}});
  triad("dilation", {1, 2, 6, 5}, {2, 2, 3, 3}, {{1, 1}, {2, 2}, {2, 2}});
  triad("rectangular", {2, 2, 4, 7}, {2, 2, 2, 3}, {{2, 1}, {0, 2}, {1, 2}});
  return t;
}

Var linear(const Var& x, const Var& w, const Var& b) { return matmul(x, w, false, true) + b; }

/// x (T,N,4) and what its T words, normalised, attend to with two heads; w (12,4), b (12), then (4,4), (4).
Var attention_block(const Vars& x) {
  const Index T = x[0].dim(0), N = x[0].dim(1);
  Vars qkv = split(linear(layer_norm(x[0], x[1], x[2]), x[3], x[4]), {4, 4, 4}, -1);
  for (Var& part : qkv) part = permute(reshape(part, {T, N, 2, 2}), {1, 2, 0, 3});  // (N,heads,T,d)
  const Var y = reshape(permute(attention(qkv[0], qkv[1], qkv[2]), {2, 0, 1, 3}), {T, N, 4});
  return x[0] + linear(y, x[5], x[6]);
}

Table composites() {
  const real no = -HUGE_VAL;
  const Tensor causal({4, 4}, {0, no, no, no, 0, 0, no, no, 0, 0, 0, no, 0, 0, 0, 0});
  return {POOL(max_pool), POOL(average_pool), GROW(upsample_nearest), GROW(upsample_bilinear),
          {"softmax", OF(softmax(x[0], 1))}, {"mean_squared_error", OF(mean_squared_error(x[0], x[1]))},
          {"log_softmax", OF(log_softmax(x[0], -1))}, {"cross_entropy", OF(cross_entropy(x[0], rows(x)))},
          {"attention masked", OF(attention(x[0], x[1], x[2], causal.to(x[0].device())))}, THREE(attention),
          THREE(layer_norm), {"attention block", attention_block},
          {"group_norm", OF(group_norm(x[0], x[1], x[2], 2))},
          {"group_norm silu", OF(group_norm(x[0], x[1], x[2], 2, 1e-3, true))}, THREE(instance_norm),
          {"group_norm_formula", OF(group_norm_formula(x[0], x[1], x[2], 2, 1e-5, false))},
          {"group_norm_formula silu", OF(group_norm_formula(x[0], x[1], x[2], 2, 1e-3, true))},
          {"classifier", OF(cross_entropy(linear(gelu(linear(x[0], x[1], x[2])), x[3], x[4]), rows(x)))}};
}

// clang-format on

Table op_table() {
  Table all;
  for (const Table& part : {elementwise(), shapes_and_reductions(), products(), composites()})
    all.insert(part.begin(), part.end());
  return all;
}

}  // namespace
}  // namespace dale
