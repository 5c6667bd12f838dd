// Training from scratch: a perceptron learns sin(3u) cos(2v) from points (u, v), each seen once. A step is a
// batch, a loss, its gradient and Adam. All of it follows from one key, and so does what it prints, anywhere.
#include "nn/mlp.h"
#include "nn/optim.h"

using namespace dale;

int main() {
  const Key key{1};
  Mlp network({2, 32, 32, 1}, key.split(0));
  Adam adam(parameters(network));
  Vars weights;
  for (const NamedParameter& p : parameters(network)) weights.push_back(*p.parameter);

  double average = 0;
  for (int step = 1; step <= 300; ++step) {
    const Var x = 2 * Var(uniform(key.split(1).split(step), {128, 2})) - 1;  // (N,2) in [−1, 1)
    const Var wanted = sin(3 * slice(x, 1, 0, 1)) * cos(2 * slice(x, 1, 1, 2));
    const Var loss = mean_squared_error(network(x), wanted);
    adam.step(grad(loss, weights), 0.003);
    average += loss.item() / 100;
    if (step % 100 == 0) fmt::print("steps {}-{}: mean loss {:.3f}\n", step - 99, step, average), average = 0;
  }
}
// It prints:
//   steps 1-100: mean loss 0.065
//   steps 101-200: mean loss 0.003
//   steps 201-300: mean loss 0.001
