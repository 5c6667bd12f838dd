// Chapter II: the engine. The rules themselves are proven row by row in torch_test.cpp.
#include <thread>

#include "autograd/transforms.h"
#include "nn/optim.h"
#include "tests/compare.h"

using namespace dale;

namespace {
Var scalar_parameter(real v) { return parameter(Tensor({}, {v})); }
}  // namespace

TEST_CASE("derivatives of any order", "[autograd]") {
  const Var x = scalar_parameter(0.5);
  Var y = sin(x);
  for (double expected : {std::cos(0.5), -std::sin(0.5), -std::cos(0.5), std::sin(0.5), std::cos(0.5)}) {
    y = grad(y, {x}, true)[0];
    CHECK(y.item() == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("a value used twice gathers both gradients", "[autograd]") {
  const Var x = scalar_parameter(3);
  const Var y = x * x, z = y * y + y;
  CHECK(grad(z, {x})[0].item() == 4 * 27 + 6);
  const Vars both = grad(z, {y, x, x});
  CHECK(both[0].item() == 19);
  CHECK(both[2].item() == both[1].item());
}

TEST_CASE("an op may have more inputs than a word has bits", "[autograd]") {
  Vars x;
  for (int i = 0; i < 70; ++i) x.push_back(parameter(Tensor({1}, {static_cast<real>(i)})));
  const Var y = concat(x, 0);
  const Vars g = grad(sum(y * y), x);
  for (int i = 0; i < 70; ++i) CHECK(g[static_cast<std::size_t>(i)].item() == static_cast<real>(2 * i));
}

TEST_CASE("what does not depend on x has gradient zero", "[autograd]") {
  const Var x = parameter(Tensor::full({2, 2}, 1)), y = parameter(Tensor::full({3}, 1));
  CHECK(values(grad(sum(x), {y})[0]) == Values{0, 0, 0});
  // The second derivative of a linear function is 0; that of a gradient without a graph is a mistake.
  CHECK(values(grad(sum(grad(sum(3 * y), {y}, true)[0]), {y})[0]) == Values{0, 0, 0});
  CHECK_THROWS_WITH(grad(sum(grad(sum(y * y), {y})[0]), {y}), Catch::Contains("with create_graph"));
  CHECK_THROWS_WITH(grad(Var(Tensor({}, {1})), {y}), Catch::Contains("was not recorded"));
  CHECK(!(x.detach() * 2).tracked());
  const NoGrad off;
  CHECK(!(x * 2).tracked());
}

TEST_CASE("a gradient is not overwritten by later use of its parts", "[autograd]") {
  const Var x = parameter(Tensor::full({4}, 1));
  const Var g = Tensor::full({4}, 5);
  const Var y = x + x + x;  // the engine adds three gradients up; g itself must stay
  CHECK(values(vjp(y, g, {x})[0]) == Values(4, 15));
  CHECK(values(g) == Values(4, 5));
}

TEST_CASE("a parameter written between a graph and its gradient is an error, one given another array is none",
          "[autograd]") {
  Var x = parameter(Tensor({1}, std::vector<real>{3}));
  const Var square = sum(x * x), linear = sum(x * real{2});
  CHECK(grad(square, {x})[0].value().item() == 6);
  SECTION("in place") { raw::binary_into(Binary::add, x.leaf_value(), Tensor::full({1}, 1)); }
  SECTION("through a view") { raw::copy_into(x.value().reshape({1, 1}), Tensor::full({1, 1}, 7)); }
  SECTION("by an optimizer") { Adam({{"x", &x}}, {}).step({Var(Tensor::full({1}, 1))}, 0.1); }
  REFUSES(grad(square, {x}), "was written to since: take gradients before");
  CHECK(grad(linear, {x})[0].value().item() == 2);  // its rule reads no value
  const Var anew = sum(x * x);
  const real slope = 2 * x.value().item();
  CHECK(grad(anew, {x})[0].value().item() == slope);
  x.leaf_value() = Tensor::full({1}, 70);
  CHECK(grad(anew, {x})[0].value().item() == slope);
}

TEST_CASE("a chain of a million nodes is differentiated and released", "[autograd]") {
  const Index before = live_nodes();
  {
    const Var x = scalar_parameter(1);
    Var y = x;
    for (int i = 0; i < 1000000; ++i) y = -y;
    CHECK(live_nodes() == before + 1000001);
    CHECK(grad(y, {x})[0].item() == 1);
  }
  CHECK(live_nodes() == before);
}

TEST_CASE("the last gradient of a graph releases what it kept", "[autograd]") {
  const Var x = parameter(uniform(Key{1}, {1000}));
  Var y = x;
  for (int i = 0; i < 10; ++i) y = sin(y);  // each keeps its input
  const Var total = sum(y);
  const Values expected = values(grad(total, {x})[0]);
  y = Var();
  const std::size_t before = memory_use(Device::cpu).live;
  const Vars g = last_grad(total, {x});
  CHECK(values(g[0]) == expected);
  CHECK(memory_use(Device::cpu).live <=
        before - 8 * 1000 * sizeof(real));  // nine sines' inputs less one gradient
  REFUSES(grad(total, {x}), "its values were released by last_grad()");
}

TEST_CASE("threads that share parameters differentiate their own graphs", "[autograd][threads]") {
  const Var w = parameter(uniform(Key{1}, {3, 3})), shared = w * w;
  std::vector<std::vector<real>> expected, found[4];
  const auto gradient = [&](int k) {
    Var y = shared;
    for (int i = 0; i < 3 + k; ++i) y = matmul(y, w);
    return grad(sum(y), {w})[0].value().to_vector();
  };
  for (int k = 0; k < 4; ++k) expected.push_back(gradient(k));
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      for (int n = 0; n < 500; ++n) found[k].push_back(gradient(k));
    });
  for (std::thread& t : threads) t.join();
  for (int k = 0; k < 4; ++k)
    for (const auto& g : found[k]) REQUIRE(g == expected[static_cast<std::size_t>(k)]);
}

TEST_CASE("products with Jacobians and Hessians agree with each other and with closed forms", "[autograd]") {
  const Tensor A = normal(Key{1}, {3, 3}), v = normal(Key{2}, {3, 1});
  const Var x = parameter(normal(Key{3}, {3, 1}));
  const auto near = [](const Var& a, const Var& b) { CHECK(gap(a, b) < 1e-5 * largest(numbers(b), 1)); };
  near(jvp(matmul(A, x), {x}, {v}), matmul(A, v));
  near(jvp(exp(x), {x}, {v}), exp(x) * v);
  near(hessian_product(sum(x * matmul(A, x)), {x}, {v})[0], matmul(A, v) + matmul(A, v, true, false));
  near(hessian_product(sum(exp(x)), {x}, {v})[0], exp(x) * v);
  // A tracked product can be differentiated again: ∂/∂x Σ eˣ v = eˣ v.
  near(grad(sum(jvp(exp(x), {x}, {v}, true)), {x})[0], exp(x) * v);
  REFUSES(jvp(exp(x), {x}, {Tensor({2})}), "[jvp] direction 0 has shape (2), its variable (3,1)");
  REFUSES(hessian_product(sum(x), {x}, {}), "[hessian_product] 0 directions for 1 variables");
}

TEST_CASE("gradients at kinks, ties and poles are those the declarations promise", "[autograd]") {
  const auto slope = [](Var (*f)(const Var&), Values at) {
    const Var x = parameter(Tensor({static_cast<Index>(at.size())}, at));
    return values(grad(sum(f(x)), {x})[0]);
  };
  CHECK(slope(abs, {-2, 0, 2}) == Values{-1, 0, 1});
  CHECK(slope(relu, {-2, 0, 2}) == Values{0, 0.5, 1});
  CHECK(slope([](const Var& x) { return max(x); }, {1, 3, 3, 0}) == Values{0, 0.5, 0.5, 0});
  CHECK(slope([](const Var& x) { return min(x); }, {1, 3, 3, 0}) == Values{0, 0, 0, 1});
  CHECK(slope([](const Var& x) { return norm(x); }, {0, 0}) == Values{0, 0});
  CHECK(slope([](const Var& x) { return power(x, 0); }, {0, 2}) == Values{0, 0});
  CHECK(slope([](const Var& x) { return power(x, 2); }, {0, 3}) == Values{0, 6});
  // What is not chosen leaves no trace, not even through its own pole.
  CHECK(slope(
            [](const Var& x) {
              return where(greater(x, Tensor({}, {0})), log(masked(x, greater(x, Tensor({}, {0})))), x);
            },
            {-1, 2}) == Values{1, 0.5});
}

TEST_CASE("the check itself can fail", "[autograd]") {
  const auto wrong = [](const Vars& v) {
    return record("wrong", raw::unary(Unary::square, v[0].value()), v, keep_input(0),
                  [](const Var& g, const Vars& x, const Var&) { return Vars{3 * g * x[0]}; });
  };
  CHECK(gradient_error(wrong, {normal(Key{1}, {5})}, 1, Key{2}) > 0.1);
}

TEST_CASE("errors of the engine and the ops name what, where and why", "[autograd][errors]") {
  const Var x = parameter(Tensor::full({2, 3}, 1)), c = Tensor::full({2, 3}, 1);
  REFUSES(grad(x, {x}), "[grad] y has shape (2,3); it must have one element");
  REFUSES(grad(sum(x), {c}), "[grad] x number 0 of shape (2,3) is a constant");
  REFUSES(vjp(x, Tensor({3}), {x}), "[vjp] the upstream gradient has shape (3), y has (2,3)");
  REFUSES(Var(c).leaf_value(), "not a leaf");
  REFUSES(x + Tensor({2, 2}), "[add] shapes (2,3) and (2,2) do not broadcast: axis 1 from the right");
  REFUSES(matmul(x, x), "[matmul] a (2,3) has 3 columns but b (2,3) has 2 rows");
  REFUSES(matmul(x, Tensor({3})), "[matmul] a (2,3) and b (3) must have at least two axes");
  REFUSES(matmul(Tensor({2, 2, 3}), Tensor({3, 3, 2})), "[matmul] shapes (2) and (3) do not broadcast");
  REFUSES(concat({x, Tensor({2, 4})}, 0), "[concat] shapes (2,3) and (2,4) differ outside axis 0");
  REFUSES(concat({}, 0), "[concat] there is nothing to join");
  REFUSES(sum_to(x, {2}), "[sum_to] the shape (2,3) does not sum to (2)");
  REFUSES(sum(x, {2}), "[sum] axis 2 is outside");
  REFUSES(mean(Tensor({0})), "[mean] of no elements");
  REFUSES(place(x, 1, 0, 2, 4), "[place] 3 elements from 0 in steps of 2 do not fit into an axis of 4");
  REFUSES(gather(x, IntTensor({1}, {2})), "[gather] index 2 is outside the 2 rows");
  REFUSES(gather(Tensor({}, {1}), IntTensor({1}, {0})), "[gather] x has no axis");
  REFUSES(scatter_add(x, IntTensor({2}, {0, 5}), 5), "[scatter_add] index 5 is outside the 5 rows");
  REFUSES(scatter_add(x, IntTensor({1}, {0}), 5), "has not one row for each of the 1 indices");
  REFUSES(conv2d(Tensor({8, 3, 32, 32}), Tensor({64, 4, 3, 3})),
          "[conv2d] x (8,3,32,32) has C=3 but w (64,4,3,3) expects C=4");
  REFUSES(conv2d_weight(Tensor({1, 1, 2, 2}), Tensor({1, 1, 1, 1}), {1, 1, -(Index{1} << 62), 2}, {}),
          "must have sizes of 0 or more");
  REFUSES(conv2d(x, x), "[conv2d] x (2,3) must be (N,C,H,W)");
  REFUSES(conv2d(Tensor({1, 1, 2, 2}), Tensor({1, 1, 3, 3})), "reaches over 3 pixels");
  REFUSES(conv2d(Tensor({1, 1, 2, 2}), Tensor({1, 1, 1, 1}), {{0, 1}, {0, 0}, {1, 1}}), "stride 0");
  REFUSES(conv2d(Tensor({2, 1, 3, 3}), Tensor({4, 1, 3, 3}), Tensor({3}), Var()),
          "[conv2d] shift has shape (3), expected (4) or (2,4)");
  REFUSES(conv2d(Tensor({2, 1, 3, 3}), Tensor({4, 1, 3, 3}), Var(), Tensor({2, 4, 3, 3})),
          "[conv2d] y has shape (2,4,3,3), expected (2,4,1,1)");
  REFUSES(conv2d_input(Tensor({1, 1, 9, 9}), Tensor({1, 1, 1, 1}), {1, 1, 2, 2}),
          "[conv2d_input] y has shape (1,1,9,9), expected (1,1,2,2)");
  REFUSES(group_norm(Tensor({1, 6}), Tensor({6}), Tensor({6}), 4),
          "[group_norm] C=6 channels of x (1,6) do not divide into 4 groups");
  REFUSES(group_norm(Tensor({1, 6}), Tensor({5}), Tensor({6}), 3), "gamma is (5)");
  REFUSES(group_norm(Tensor({6}), Tensor({6}), Tensor({6}), 3), "must be (N,C,…)");
  REFUSES(max(x, {5}), "[max] axis 5 is outside");
  REFUSES(argmax(Tensor({2, 0}), 1), "[argmax] axis 1 of (2,0) has no elements");
  REFUSES(variance(Tensor({1}, {1}), {}, false, 1), "[variance] of 1 elements with correction 1");
  REFUSES(pad(x, 0, -1, 0), "[pad] -1 and 0 zeros: use slice to cut");
  REFUSES(split(x, {1, 1}, 1), "[split] the sizes do not add up to axis 1 of (2,3)");
  REFUSES(stack({x, Tensor({2})}, 0), "[concat] shapes");
  REFUSES(stack({}, 0), "[stack] there is nothing to join");
  REFUSES(embedding(Tensor({}, {1}), IntTensor({1}, {0})), "[embedding] the table has no axis");
  REFUSES(one_hot(IntTensor({1}, {3}), 3), "[gather] index 3 is outside the 3 rows");
  REFUSES(cross_entropy(x, IntTensor({2}, {0, 3})),
          "[cross_entropy] label 3 of row 1 is outside the 3 classes");
  REFUSES(cross_entropy(x, IntTensor({3}, {0, 1, 2})),
          "[cross_entropy] logits (2,3) must be (N,K) and labels (3) (N)");
  REFUSES(clamp(x, 2, 1), "[clamp] the bounds 2 and 1 leave nothing");
  REFUSES(attention(x, x, Tensor({3, 3})), "[attention] q (2,3), k (2,3) and v (3,3) must be");
  REFUSES(layer_norm(x, Tensor({2}), Tensor({3})), "[layer_norm] gamma (2) and beta (3) must be as long");
  REFUSES(max_pool(x, 2, 2), "[max_pool] windows of 2 in steps of 2");
  REFUSES(average_pool(Tensor({1, 1, 4, 4}), 3, 1, 2), "padding 2 (at most half of a window)");
  REFUSES(upsample_bilinear(Tensor({1, 1, 4, 4}), 0), "[upsample_bilinear]");
  REFUSES(upsample_nearest(x, 2), "[upsample_nearest] x (2,3) must be (N,C,H,W)");
}

TEST_CASE("what an op or the engine was not given is an error", "[autograd][errors]") {
  REFUSES(parameter(Tensor()), "the tensor is empty");
  const Var x = parameter(Tensor({2}, {1, 2}));
  Var gone = x;
  const Var taken = std::move(gone);
  for (const Var& nothing : {Var(), gone}) {
    REFUSES(exp(nothing), "has no elements");
    CHECK_THROWS_AS(nothing + x, std::exception);
    CHECK_THROWS_AS(matmul(nothing, nothing), std::exception);
    CHECK_THROWS_AS(nothing.item(), std::exception);
  }
  const auto gradient_by = [&](const Rule& rule) {
    return grad(sum(record("mine", x.value().clone(), {x, x}, keep_nothing, rule)), {x});
  };
  const Rule curious = [](const Var& g, const Vars& in, const Var&) { return Vars{g * in[0], g}; };
  const auto gives = [](std::size_t n, const Tensor& x) -> Rule {
    return [=](const Var&, const Vars&, const Var&) { return Vars(n, x); };
  };
  REFUSES(gradient_by(curious), "that a gradient rule did not ask to keep");
  REFUSES(gradient_by(gives(1, Tensor({2}))), "[mine] the rule returned 1 gradients for 2 inputs");
  REFUSES(gradient_by(gives(3, Tensor({2}))), "[mine] the rule returned 3 gradients for 2 inputs");
  CHECK_THROWS_AS(gradient_by(gives(2, Tensor({3}))), std::logic_error);
}

TEST_CASE("anomaly mode names the op", "[autograd][errors]") {
  const Var x = parameter(Tensor({3}, {1, 0, 2}));
  {
    const Anomaly watch;
    REFUSES(sum(log(x)), "[log] made a value that is not finite; input shapes (3)");
    const Var y = sum(sqrt(x));
    CHECK_THROWS_WITH(grad(y, {x}), Contains("[sqrt]") || Contains("[divide]"));
  }
  CHECK_NOTHROW(sum(log(x)));
  REFUSES(finite_step("training step", 7, [&] { return sum(log(x)); }),
          "training step 7: [log] made a value");
  CHECK(finite_step("step", 1, [&] { return sum(x); }).item() == 3);
  CHECK_THROWS_AS(finite_step("step", 1, [&] { return log(x); }), NotFinite);
  int calls = 0;  // the second, which watches, meets what is not NotFinite
  const auto step = [&]() -> Var {
    if (++calls == 2) throw std::range_error("out of memory");
    return Tensor({1}, {std::numeric_limits<real>::infinity()});
  };
  CHECK_THROWS_AS(finite_step("step", 1, step), std::range_error);
}
