// An op of one's own, outside of the library: snake(x) = x + sin²(ax)/a. Its value may come from anywhere,
// here from a loop; its rule is written in ops that can be differentiated, g (1 + sin 2ax), so gradients of
// every order follow. gradient_error compares them with finite differences; the last three numbers are
// 1 + sin 1.2, 4 cos 1.2 and −16 sin 1.2.
#include "autograd/transforms.h"

using namespace dale;

Var snake(const Var& x, real a) {
  const Tensor from = x.value().packed();
  Tensor y(x.shape());
  for (Index i = 0; i < y.size(); ++i) {
    const real v = from.data()[i], s = scalar::sin(a * v);
    y.data()[i] = v + s * s / a;
  }
  // The node keeps input 0, which the rule reads. The rule captures a, which is an attribute, and no Var.
  return record("snake", y, {x}, keep_input(0),
                [a](const Var& g, const Vars& x, const Var&) { return Vars{g * (1 + sin(2 * a * x[0]))}; });
}

int main() {
  const auto f = [](const Vars& x) { return snake(x[0], 2); };
  for (int order : {1, 2}) {
    const double error = gradient_error(f, {uniform(Key{1}, {4, 5})}, order, Key{2});
    fmt::print("order {} {} finite differences\n", order, error < 0.01 ? "agrees with" : "DIFFERS from");
  }
  const Var x = parameter(Tensor::full({}, real(0.3)));
  Var y = snake(x, 2);
  for (int order : {1, 2, 3}) {
    y = grad(y, {x}, true)[0];
    fmt::print("derivative {} at 0.3: {:.2f}\n", order, y.item());
  }
}
