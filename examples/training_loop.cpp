// Training from scratch: a perceptron learns the surface sin(3u) cos(2v) from points (u, v), each seen once.
// A step is a batch, a loss, its gradient cut to norm 1, and Adam at a rate that falls to 0; beside it goes
// the average of the weights. All of it follows from one key, and so does what it prints, anywhere.
#include "nn/layers.h"
#include "nn/optim.h"

using namespace dale;

int main() {
  const Key key{1};
  Mlp network({2, 32, 32, 1}, key.split(0));
  const std::vector<NamedParameter> all = parameters(network);  // layers.0.weight, layers.0.bias, …
  Adam adam(all);
  Ema ema(all, 0.99);

  const auto loss_at = [&](int step) {
    const Var x = 2 * Var(uniform(key.split(1).split(step), {128, 2})) - 1;  // (N,2) in [−1, 1)
    const Var wanted = sin(3 * slice(x, 1, 0, 1)) * cos(2 * slice(x, 1, 1, 2));
    return mean_squared_error(network(x), wanted);
  };
  for (int step = 0; step < 300; ++step) {
    const Var loss = loss_at(step);
    const Vars gradients = grad(loss, variables(all));
    adam.step(gradients, 0.01 * (1 - step / 300.0), clip_scale(global_norm(gradients), 1));
    ema.update();
    for (int shown : {1, 10, 30, 100, 300})
      if (step + 1 == shown) fmt::print("step {}: loss {:.4f}\n", shown, loss.item());
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].parameter->leaf_value() = ema.average()[i];
  fmt::print("averaged weights, other points: loss {:.4f}\n", loss_at(300).item());
}
