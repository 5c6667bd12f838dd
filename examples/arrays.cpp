// Arrays and verbs: views share memory and differ in strides; broadcasting stretches by stride 0; a random
// number is a function of key and place; a sum, a product and a convolution are verbs that a machine can do.
#include "tensor/verbs.h"

using namespace dale;

void show(const char* name, const Tensor& x) {
  fmt::print("{}: shape {}, strides {}:", name, str(x.shape()), str(x.strides()));
  for (real v : x.to_vector()) fmt::print(" {:.8g}", v);
  fmt::print("\n");
}

int main() {
  const Tensor x({2, 3}, {0, 1, 2, 3, 4, 5}), turned = x.permute({1, 0}), right = x.slice(1, 1, 3);
  x.span()[1] = 10;  // written through x, seen through every view
  show("x", x), show("turned", turned), show("right", right);
  show("column", Tensor({2, 1}, {100, 200}).broadcast_to({2, 3}));
  show("x + row", raw::binary(Binary::add, x, Tensor({3}, {100, 200, 300}).broadcast_to({2, 3})));

  const Words words = random_block(Key{1}.value, 0);  // those of elements 0 to 3
  fmt::print("words: {:08x} {:08x} {:08x} {:08x}\n", words.w[0], words.w[1], words.w[2], words.w[3]);
  const auto list = [](const char* name, const Tensor& of) {
    fmt::print("{}:", name);
    for (real v : of.to_vector()) fmt::print(" {:.4f}", v);
    fmt::print("\n");
  };
  list("uniform", uniform(Key{1}, {6}));
  list("normal", normal(Key{1}, {6}));
  list("normal, from element 3 on", normal(Key{1}, {3}, 3));

  show("sum", raw::reduce(Reduce::sum, Tensor({3}, {16777216, 1, 1}), {0}));  // 2²⁴ + 1 + 1
  show("product", raw::matmul(x.reshape({1, 2, 3}), turned.reshape({1, 3, 2})));
  const ConvShape s{1, 1, 1, 4, 1, 1, 3, 1, 2, 1, 1, 0, 0, 1, 1};  // of 1×4 pixels, 1×3 taps, 1×2 results
  show("convolution", raw::conv2d(s, Tensor({1, 1, 1, 4}, {1, 2, 3, 4}), Tensor({1, 1, 1, 3}, {1, 10, 100})));
}
