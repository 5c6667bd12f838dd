// Faults that were found by use or by reading, each with the test that fails where it is.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "autograd/ops.h"
#include "experiments/run/folder.h"
#include "experiments/run/likelihood.h"
#include "experiments/run/sample.h"
#include "experiments/studies/study.h"
#include "nn/checkpoint.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "tensor/cpu/parallel.h"
#include "tests/workplace.h"

using namespace dale;

TEST_CASE("a shape asked for has no negative length", "[faults][errors]") {
  const Tensor x({2, 3}), none({0, 3});
  for (const Shape& s : {Shape{-2, -3}, {-1, -6}, {-1, -1}, {3, -2}})
    REFUSES(x.reshape(s), "has a negative length; one -1 stands for what is left");
  REFUSES(none.reshape({0, -1}), "-1 may be any length beside the 0");
  CHECK(none.reshape({-1, 3}).shape() == Shape{0, 3});
}

TEST_CASE("what a piece throws reaches the caller after all pieces have stopped", "[faults][threads]") {
  const int before = threads();
  for (int n : {1, 2, 4}) {
    set_threads(n);
    for (Index bad : {0, 7, 99}) {
      std::atomic<int> inside{0};
      const auto body = [&](Index piece) {
        ++inside;
        if (piece == bad) {
          --inside;
          throw std::bad_alloc();
        }
        --inside;
      };
      CHECK_THROWS_AS(parallel(100, body), std::bad_alloc);
      CHECK(inside == 0);
      std::atomic<Index> sum{0};  // and the pool goes on
      parallel(100, [&](Index piece) { sum += piece; });
      CHECK(sum == 4950);
    }
  }
  set_threads(before);
}

TEST_CASE("an op may have more inputs than a word has bits", "[faults]") {
  Vars x;
  for (int i = 0; i < 70; ++i) x.push_back(parameter(Tensor({1}, {static_cast<real>(i)})));
  const Var y = concat(x, 0);
  const Vars g = grad(sum(y * y), x);
  for (int i = 0; i < 70; ++i) CHECK(g[static_cast<std::size_t>(i)].item() == static_cast<real>(2 * i));
}

TEST_CASE("only what is not finite is NotFinite", "[faults]") {
  int calls = 0;
  const auto step = [&]() -> Var {
    if (++calls == 2) throw std::range_error("out of memory");
    return Tensor({1}, {std::numeric_limits<real>::infinity()});
  };
  CHECK_THROWS_AS(finite_step("step", 1, step), std::range_error);
  CHECK_THROWS_AS(finite_step("step", 1, [] { return log(parameter(Tensor({1}))); }), NotFinite);
}

TEST_CASE("two networks from one file do not train each other", "[faults]") {
  NamedTensors file;
  file.tensors = {{"weight", Tensor({2, 3})}, {"bias", Tensor({2})}};
  Linear a(3, 2, Key{1}), b(3, 2, Key{2});
  assign_parameters(parameters(a), file, "file");
  assign_parameters(parameters(b), file, "file");
  CHECK(a.weight.value().data() != b.weight.value().data());
}

TEST_CASE("a run is not begun anew over what it left", "[faults][experiments]") {
  const Workplace w;
  TrainOptions o = w.options("run");
  o.resume = true;
  const std::string model = read_file(train(o).model), metrics = read_file(o.out / "metrics.csv");
  const fs::path last = o.out / "checkpoint-00000003.safetensors";
  o.steps = 4;
  SECTION("with the checkpoints gone") {
    fs::remove(last);
    REFUSES(train(o), "holds a model.safetensors but no checkpoint to continue from");
  }
  SECTION("with none that can be read") {
    write_file(last, "short");
    CHECK_THROWS_WITH(train(o), Contains("none of the checkpoints in") && Contains("can be read"));
    CHECK(read_file(last) == "short");
  }
  CHECK((read_file(o.out / "model.safetensors") == model && read_file(o.out / "metrics.csv") == metrics));
}

TEST_CASE("rows of metrics.csv that are lost cost no checkpoint", "[faults][experiments]") {
  const Workplace w;
  TrainOptions o = w.options("run");
  train(o);
  o.resume = true;
  const fs::path metrics = o.out / "metrics.csv";
  const std::string rows = read_file(metrics);
  const std::size_t second = rows.find("\n2,") + 1;
  const struct {
    std::string text, said;  // by who only reads it; nothing of a file that merely ends early
    Index lost;
  } broken[] = {
      {"", "expected the first line step,loss,", 3},
      {rows.substr(0, rows.size() - 1), "", 1},
      {rows.substr(0, second) + rows.substr(rows.find("\n3,") + 1),
       "line 3 is no row of step 2; expected five", 1},
      {rows.substr(0, second) + "1.5,9,9,9,9\n" + rows.substr(second), "line 3 is no row of step 2", 0},
      {rows.substr(0, second) + "2,x\n" + rows.substr(second), "line 3 is no row of step 2", 0}};
  for (const auto& [text, said, lost] : broken) {
    INFO(text);
    write_file(metrics, text);
    if (!said.empty()) CHECK_THROWS_WITH(read_metrics(o.out), Contains(metrics.string()) && Contains(said));
    CHECK(train(o).loss.size() == 3);
    const std::vector<MetricsRow> left = read_metrics(o.out);
    CHECK(left.size() == 3);
    CHECK(std::count_if(left.begin(), left.end(), [](const MetricsRow& r) { return std::isnan(r.loss); }) ==
          lost);
    if (lost == 0) CHECK(read_file(metrics) == rows);
  }
}

TEST_CASE("what no normal distribution fits is told before it is sorted", "[faults]") {
  REFUSES(fit_normal({1, std::nan(""), 2}), "[fit_normal] a value is nan");
  REFUSES(fit_normal({1, HUGE_VAL, 2}), "[fit_normal] a value is inf");
}

TEST_CASE("the likelihood is the same in batches of any size, and tells its solver's error", "[faults]") {
  const Workplace w;
  write_part(w.path / "mnist", "t10k", noise(9 * 784, 256), noise(9, 10));
  const fs::path model = train(w.options("run")).model;
  LikelihoodOptions o{.model = model, .dataset = "mnist", .data = w.path.string(), .count = 5, .steps = 8};
  const Likelihood whole = likelihood(o);
  o.batch = 2;
  const Likelihood parts = likelihood(o);
  CHECK(std::abs(parts.bits - whole.bits) < 1e-5);  // sums over a batch may be cut in other places
  CHECK(std::abs(parts.standard_error - whole.standard_error) < 1e-5);
  o.steps = 4;
  CHECK(std::abs(std::abs(likelihood(o).bits - whole.bits) - whole.solver_error) < 2e-5);
  o.count = 1;
  CHECK(text_of(likelihood(o), o).find("±") == std::string::npos);
}

TEST_CASE("a parameter written between a graph and its gradient is an error", "[faults][autograd]") {
  Var x = parameter(Tensor({1}, std::vector<real>{3}));
  const Var square = sum(x * x), linear = sum(x * real{2});
  CHECK(grad(square, {x})[0].value().item() == 6);
  SECTION("in place") { raw::binary_into(Binary::add, x.leaf_value(), Tensor::full({1}, 1)); }
  SECTION("through a view") { raw::copy_into(x.value().reshape({1, 1}), Tensor::full({1, 1}, 7)); }
  SECTION("by an optimizer") { Adam({{"x", &x}}, {}).step({Var(Tensor::full({1}, 1))}, 0.1); }
  REFUSES(grad(square, {x}), "was written to since: take gradients before");
  CHECK(grad(linear, {x})[0].value().item() == 2);  // its rule reads no value
  CHECK(grad(sum(x * x), {x})[0].value().item() == 2 * x.value().item());
}

TEST_CASE("a parameter given another array keeps the graphs of the old one", "[faults][autograd]") {
  Var x = parameter(Tensor({1}, std::vector<real>{3}));
  const Var square = sum(x * x);
  x.leaf_value() = Tensor::full({1}, 7);
  CHECK(grad(square, {x})[0].value().item() == 6);
}

TEST_CASE("what the arrays' interface was not given is one sentence", "[faults][errors]") {
  const Index big = Index{1} << 40;
  REFUSES(Tensor(Shape{big, big}), "it passes 2^63 bytes");
  REFUSES(Tensor(Shape{big, -big}), "it passes 2^63 bytes");
  REFUSES(Tensor(Shape{1, 1}).broadcast_to({big, big}), "it passes 2^63 bytes");
  REFUSES(Tensor(Shape{2, 3}).dim(100), "[dim] axis 100");
  CHECK(Tensor(Shape{2, 3}).dim(-1) == 3);
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
  const auto op = [&](unsigned keep, const Rule& rule) {
    return sum(record("mine", x.value().clone(), {x, x}, keep, rule));
  };
  const auto grad_of = [&](const Var& y) { return grad(y, {x}); };
  REFUSES(grad_of(op(keep_nothing,
                     [](const Var& g, const Vars& in, const Var&) {
                       return Vars{g * in[0], g};
                     })),
          "that a gradient rule did not ask to keep");
  REFUSES(grad_of(op(keep_nothing, [](const Var& g, const Vars&, const Var&) { return Vars{g}; })),
          "[mine] the rule returned 1 gradients for 2 inputs");
}

TEST_CASE("threads that share parameters differentiate their own graphs", "[faults][threads]") {
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
