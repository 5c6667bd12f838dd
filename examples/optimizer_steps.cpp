// Steps small enough to redo on paper: two of Adam for one number, one of exponentiated gradient for two
// numbers, and Newton–Schulz for a matrix of singular values √45 and √5, by which Muon turns a gradient into
// a nearly orthogonal matrix.
#include "nn/optim.h"

using namespace dale;

void show(const char* name, const Var& x) {
  const auto v = x.value().to_vector();
  fmt::print("{:<16}[{:.4f} {:.4f}; {:.4f} {:.4f}]\n", name, v[0], v[1], v[2], v[3]);
}

int main() {
  Var w = parameter(Tensor({1}, {1}));
  Adam adam({{"w", &w}});
  for (real g : {real(0.5), real(-0.1)}) {
    adam.step({Tensor({1}, {g})}, 0.1);
    fmt::print("Adam, g = {:4.1f}: w = {:.5f}\n", g, w.item());
  }

  Var pair = parameter(Tensor({1, 2}, {real(0.5), -2}));
  ExponentiatedGradient({{"pair", &pair}}).step({Tensor({1, 2}, {1, 1})}, 0.1);
  const auto moved = pair.value().to_vector();
  fmt::print("exponentiated gradient: {:.4f} and {:.4f}\n", moved[0], moved[1]);

  const Var U = Tensor({2, 2}, {3, 0, 4, 5});
  const Var X = U / norm(U), A = matmul(X, X, false, true);
  show("X", X);
  show("A = X X'", A);
  show("after one step", 3.4445 * X + matmul(-4.7750 * A + 2.0315 * matmul(A, A), X));
  show("after five", orthogonalised(U));
}
