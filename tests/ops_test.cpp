// One table of ops over machines and orders of differentiation. Every row gets, on every machine present: its
// values against a reference in double written here, strided inputs equal to packed ones, lengths 0 and 1,
// gradients of order 1 and 2 against finite differences (double build), and no graph node left behind.
#include <cmath>

#include "autograd/gradcheck.h"
#include "tests/catch.h"
#include "tests/machines.h"
#include "tests/op_table.h"

using namespace dale;

namespace {

std::vector<Tensor> inputs_of(const Row& row) {
  std::vector<Tensor> x;
  for (std::size_t i = 0; i < row.shapes.size(); ++i)
    x.push_back((Var(uniform(Key{17}.split(i), row.shapes[i])) * (row.high - row.low) + row.low).value());
  return x;
}

Vars on(Device device, const std::vector<Tensor>& x) {
  Vars v;
  for (const Tensor& t : x) v.push_back(t.to(device));
  return v;
}

/// The same elements under reversed strides.
Tensor strided(const Tensor& x) {
  Axes reversed;
  for (int i = x.rank(); i-- > 0;) reversed.push_back(i);
  return x.permute(reversed).clone().permute(reversed);
}

/// Checks against the tolerance 8 √K ε; returns the largest error in units of it.
double check_close(const Tensor& actual, const Exact& expected, double terms) {
  REQUIRE(actual.shape() == expected.shape);
  double largest = 1;
  for (double v : expected.v) largest = std::max(largest, std::abs(v));
  const double tolerance =
      8 * std::sqrt(terms) * static_cast<double>(std::numeric_limits<real>::epsilon()) * largest;
  const std::vector<real> values = actual.to_vector();
  std::size_t bad = 0;  // a NaN is not within the tolerance
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(static_cast<double>(values[i]) - expected.v[i]) / tolerance;
    bad += !(error <= 1);
    worst = std::max(worst, error);
  }
  CHECK(bad == 0);
  return worst;
}

}  // namespace

TEST_CASE("every op: values against a reference in double, on every machine", "[ops][machines]") {
  const std::vector<Device> columns = machines();
  std::string table;
  double worst[2] = {};
  for (const Row& row : op_table()) {
    table += fmt::format("{:<34}", row.name);
    for (Device device : columns) {
      INFO(row.name << " on " << column(device));
      const auto x = inputs_of(row);
      const Exact expected = row.reference(Exacts(x.begin(), x.end()));
      double error = check_close(row.op(on(device, x)).value(), expected, row.terms);
      std::vector<Tensor> views;
      for (const Tensor& t : x) views.push_back(strided(t.to(device)));
      error =
          std::max(error, check_close(row.op(Vars(views.begin(), views.end())).value(), expected, row.terms));
      table += fmt::format("{:>10.3f}", error);
      worst[static_cast<int>(device)] = std::max(worst[static_cast<int>(device)], error);
    }
    table += '\n';
  }
  if (columns.size() > 1)
    fmt::print("{:<34}{:>10}{:>10}   largest error, of the tolerance 8 √K ε\n{}", "op", "cpu",
               column(Device::cuda), table);
  for (Device device : columns)
    fmt::print("op table: {} rows on {}, largest error {:.2f} of the tolerance 8 √K ε\n", op_table().size(),
               column(device), worst[static_cast<int>(device)]);
}

TEST_CASE("every op: no node outlives its graph, and gradients have their inputs' shapes", "[ops]") {
  for (const Row& row : op_table()) {
    INFO(row.name);
    const Index before = live_nodes();
    {
      Vars x;
      for (const Tensor& t : inputs_of(row)) x.push_back(parameter(t));
      const Var y = row.op(x);
      const Vars g = vjp(y, y.detach(), x, true);
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(g[i].shape() == x[i].shape());
    }
    CHECK(live_nodes() == before);
  }
}

#ifdef DALE_DOUBLE
TEST_CASE("every op: gradients of order 1 and 2 against finite differences", "[ops]") {
  double worst[3] = {};
  for (const Row& row : op_table())
    for (int order : {1, 2}) {
      INFO(row.name << ", order " << order);
      const double error = gradient_error(row.op, inputs_of(row), order, Key{23});
      CHECK(error < 1e-6);
      worst[order] = std::max(worst[order], error);
    }
  fmt::print("op table: {} rows, worst relative error {:.1e} at order 1, {:.1e} at order 2\n",
             op_table().size(), worst[1], worst[2]);
}
#endif

TEST_CASE("elementwise ops at the edges of their domains", "[ops]") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const std::vector<double> edges{0, -0.0, 1, -1, 87, -87, 300, -300, 1e-40, inf, -inf, nan};
  for (const Row& row : op_table()) {
    if (row.shapes.size() != 1 || !(row.shapes[0] == Shape{3, 17})) continue;
    for (double edge : edges) {
      INFO(row.name << " at " << edge);
      const real x = static_cast<real>(edge);
      const double y = static_cast<double>(row.op({Tensor({1}, {x})}).item());
      // silu(−∞) is −∞·0: NaN by the formula, as in the reference.
      const double expected =
          static_cast<double>(static_cast<real>(row.reference({Exact(Tensor({1}, {x}))}).v[0]));
      if (std::isnan(expected))
        CHECK(std::isnan(y));
      else if (std::isinf(expected))
        CHECK(y == expected);
      else if ((row.name == "sin" || row.name == "cos"))
        CHECK(std::abs(y - expected) < 1e-6);
      else
        CHECK(y == Approx(expected).epsilon(2e-6).margin(1e-37));
    }
  }
}

TEST_CASE("axes of length 0 and 1", "[ops][machines]") {
  for (const Device device : machines()) {
    const auto full = [&](const Shape& shape, real value) { return Var(Tensor::full(shape, value, device)); };
    const Var none = Tensor({0, 3}, device);
    CHECK((none + none).shape() == Shape{0, 3});
    CHECK(exp(none).size() == 0);
    CHECK(sum(none).item() == 0);
    CHECK(sum(none, {0}).value().to_vector() == std::vector<real>{0, 0, 0});
    CHECK(matmul(none, full({3, 2}, 1)).shape() == Shape{0, 2});
    CHECK(matmul(Tensor({2, 0}, device), none).value().to_vector() == std::vector<real>(6, 0));
    CHECK(concat({none, none}, 0).shape() == Shape{0, 3});
    CHECK(conv2d(Tensor({0, 2, 4, 4}, device), full({3, 2, 3, 3}, 1)).shape() == Shape{0, 3, 2, 2});
    CHECK(conv2d(Tensor({1, 0, 4, 4}, device), Tensor({3, 0, 3, 3}, device)).value().to_vector() ==
          std::vector<real>(12, 0));
    CHECK(group_norm(Tensor({0, 4, 2, 2}, device), full({4}, 1), full({4}, 0), 2).size() == 0);
    const Var one = full({1, 1}, 3);
    CHECK(matmul(one, one).item() == 9);
    CHECK((one * full({2, 3}, 2)).shape() == Shape{2, 3});
    CHECK(gather(one, IntTensor({2}, {0, 0}, device)).shape() == Shape{2, 1});
    CHECK(max(none, {0}).value().to_vector() == std::vector<real>(3, -std::numeric_limits<real>::infinity()));
    CHECK(max(one).item() == 3);
    CHECK(softmax(one, 0).item() == 1);
    CHECK(flip(none, 0).size() == 0);
    CHECK(softmax(Tensor({2, 0}, device), 0).size() == 0);
  }
}

TEST_CASE("overflow has no place in softmax, logsumexp and their like", "[ops]") {
  const real inf = std::numeric_limits<real>::infinity();
  const Var big = Tensor({3}, {300, -300, 300});
  CHECK(static_cast<double>(logsumexp(big).item()) == Approx(300 + std::log(2)));
  const std::vector<real> p = softmax(big, 0).value().to_vector();
  CHECK((p[0] == 0.5 && p[1] < 1e-38 && p[2] == 0.5));
  CHECK(static_cast<double>(log_softmax(big, 0).value().to_vector()[1]) == Approx(-600 - std::log(2)));
  CHECK(logsumexp(Tensor({2}, {-inf, -inf})).item() == -inf);
  CHECK(logsumexp(Tensor({2}, {inf, 0})).item() == inf);
  CHECK(logsumexp(Tensor({2}, {-inf, 1})).item() == 1);
}

TEST_CASE("argmax, one-hot and comparisons", "[ops]") {
  const real nan = std::nanf("");
  CHECK(argmax(Tensor({2, 3}, {1, 5, 5, -1, -3, -2}), 1).to_vector() == std::vector<std::int32_t>{1, 0});
  CHECK(argmax(Tensor({2, 3}, {1, 5, 5, -1, -3, -2}), 0).to_vector() == std::vector<std::int32_t>{0, 0, 0});
  CHECK(argmax(Tensor({3}, {1, nan, 5}), 0).to_vector() == std::vector<std::int32_t>{1});
  CHECK(one_hot(IntTensor({2}, {2, 0}), 3).value().to_vector() == std::vector<real>{0, 0, 1, 1, 0, 0});
  const Var p = parameter(Tensor({2}, {1, 2}));
  CHECK(!greater(p, p).tracked());
  CHECK(not_equal(Tensor({}, {nan}), Tensor({}, {nan})).item() == 1);
  CHECK(masked(Tensor({2}, {nan, 1}), Tensor({2}, {0, 1})).value().to_vector() == std::vector<real>{0, 1});
}

TEST_CASE("the fused group norm is its formula", "[ops][machines]") {
  // Channels, groups, height, width: few and many channels a group, more than a block of threads, groups left
  // over.
  const Index shapes[][4] = {{16, 8, 5, 7}, {80, 2, 3, 3}, {1040, 1, 2, 1}, {36, 12, 2, 5}, {6, 6, 3, 1}};
  for (const Device device : machines())
    for (const auto& [C, G, H, W] : shapes)
      for (bool with_silu : {false, true}) {
        INFO(column(device) << ", " << C << " channels in " << G);
        Vars x{parameter(normal(Key{1}, {3, C, H, W}).to(device)), parameter(normal(Key{2}, {C}).to(device)),
               parameter(normal(Key{3}, {C}).to(device))};
        const Var fused = group_norm(x[0], x[1], x[2], G, 1e-5, with_silu);
        const Var formula = group_norm_formula(x[0], x[1], x[2], G, 1e-5, with_silu);
        check_close(fused.value(), Exact(formula.value()), static_cast<double>(C / G * H * W));
        const Var g = normal(Key{4}, fused.shape()).to(device);
        const Vars a = vjp(fused, g, x), b = vjp(formula, g, x);
        for (int i = 0; i < 3; ++i)
          check_close(a[i].value(), Exact(b[i].value()), static_cast<double>(3 * C / G * H * W));
      }
}
