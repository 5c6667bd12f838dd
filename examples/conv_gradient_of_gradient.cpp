// Convolution is three maps that are each other's gradients. First by hand, on three pixels. Then a gradient
// inside a loss: a small convolutional critic f is trained until |∂f/∂x| is 1 at every image, by the gradient
// penalty E (|∂f/∂x| − 1)² (Gulrajani et al. 2017). The penalty's own gradient is of second order, through
// convolutions and SiLU; it is compared with finite differences.
#include "autograd/transforms.h"

using namespace dale;

void print(const char* name, const Var& x) {
  fmt::print("{}", name);
  for (real v : x.value().to_vector()) fmt::print(" {:.0f}", v);
  fmt::print("\n");
}

void by_hand() {
  const Window window{{1, 2}, {0, 1}};  // along a row: stride 2, padding 1
  const Var x = parameter(Tensor({1, 1, 1, 3}, {1, 2, 3})), w = parameter(Tensor({1, 1, 1, 3}, {1, -1, 2}));
  const Var y = conv2d(x, w, window), g = parameter(Tensor({1, 1, 1, 2}, {1, 10}));
  const Vars first = vjp(y, g, {x, w}, true);  // conv2d_input(g, w), conv2d_weight(x, g)
  print("conv2d(x, w)        ", y);
  print("conv2d_input(g, w)  ", first[0]);
  print("conv2d_weight(x, g) ", first[1]);
  fmt::print("T = {:.0f} = {:.0f} = {:.0f}\n", sum(g * y).item(), sum(x * first[0]).item(),
             sum(w * first[1]).item());
  const Vars second = vjp(first[0], Tensor({1, 1, 1, 3}, {1, 1, 1}), {g, w});  // with upstream (1, 1, 1)
  print("conv2d(1, w)        ", second[0]);
  print("conv2d_weight(1, g) ", second[1]);
}

Var penalty(const Vars& w) {  // of w = {(8,1,3,3), (1,8,3,3)}
  const Var x = parameter(normal(Key{1}, {4, 1, 12, 12}));
  const Var f = sum(conv2d(silu(conv2d(x, w[0], {{2, 2}, {1, 1}})), w[1]));
  const Var slope = grad(f, {x}, true)[0];  // tracked: it can be differentiated again
  return mean(square(norm(slope, {1, 2, 3}) - 1));
}

int main() {
  by_hand();
  Vars w{parameter((0.3 * Var(normal(Key{2}, {8, 1, 3, 3}))).value()),
         parameter((0.3 * Var(normal(Key{3}, {1, 8, 3, 3}))).value())};
  const double error = gradient_error(penalty, {w[0].value(), w[1].value()}, 1, Key{4});
  fmt::print("the penalty's gradient {} finite differences\n", error < 0.01 ? "agrees with" : "DIFFERS from");
  for (int step = 0; step <= 100; ++step) {
    const Var loss = penalty(w);
    if (step % 50 == 0) fmt::print("step {}: penalty {:.2f}\n", step, loss.item());
    const Vars g = grad(loss, w);
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i].leaf_value() = (w[i].detach() - real(0.0005) * g[i]).value();
  }
}
