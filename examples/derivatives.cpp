// Derivatives of derivatives. y = x eˣ leaves a graph of three nodes; its gradient, asked for with a graph,
// is a graph of ops again, so the same walk gives the next derivative. Then a function of three numbers: its
// gradient, and its Hessian times a vector.
#include <map>

#include "autograd/ops.h"
#include "autograd/transforms.h"

using namespace dale;

/// The nodes that y was made of: number, op, numbers of the inputs (- for a constant). Inputs have smaller
/// numbers than results, so downwards by number a node is met after all that use it.
void show(const Var& y, const Var& x) {
  std::map<std::uint64_t, const Node*> nodes{{y.node()->order, y.node().get()}};
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    for (const Var& in : node->second->inputs)
      if (in.tracked()) nodes[in.node()->order] = in.node().get();
  for (const auto& [number, node] : nodes) {
    fmt::print("  {}={}", number - x.node()->order, node->op);
    for (const Var& in : node->inputs)
      fmt::print(" {}", in.tracked() ? fmt::format("{}", in.node()->order - x.node()->order) : "-");
  }
}

int main() {
  const Var x = parameter(Tensor::full({}, real(0.5)));
  Var y = x * exp(x);
  for (int order = 0; order <= 3; ++order) {
    if (order > 0) y = grad(y, {x}, true)[0];  // true: with a graph of its own
    fmt::print("order {}: {:.4f}", order, y.item());
    if (order < 2) show(y, x);
    fmt::print("\n");
  }
  const Var p = parameter(Tensor({3}, {1, 2, 2})), v = Tensor({3}, {1, 0, 0});
  const Var f = square(sum(square(p))) / 4;  // ¼|p|⁴: its gradient is |p|² p, its Hessian |p|² I + 2 p pᵀ
  fmt::print("gradient, and Hessian times v:");
  for (const Var& each : {grad(f, {p})[0], hessian_product(f, {p}, {v})[0]})
    for (real number : each.value().to_vector()) fmt::print(" {:.0f}", number);
  fmt::print("\n");
}
