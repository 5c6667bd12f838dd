// Ops where the table (op_table.h) does not lead: at the edges of their domains, along axes of length 0 and
// 1; and what is fused is its formula, in shapes that the kernels take different ways for.
#include "autograd/transforms.h"
#include "tests/compare.h"
#include "tests/machines.h"

using namespace dale;

TEST_CASE("elementwise ops at the edges of their domains", "[ops][machines]") {
  struct Row {
    std::string name;
    Var (*op)(const Var&);
    double (*f)(double);
  };
  // clang-format off
  const Row rows[] = {
      {"negate", [](const Var& x) { return -x; }, [](double x) { return -x; }},
      {"exp", exp, std::exp}, {"expm1", expm1, std::expm1}, {"log", log, std::log}, {"sqrt", sqrt, std::sqrt},
      {"log1p", log1p, std::log1p}, {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }},
      {"sin", sin, std::sin}, {"cos", cos, std::cos}, {"tanh", tanh, std::tanh}, {"erf", erf, std::erf},
      {"square", square, [](double x) { return x * x; }}, {"abs", abs, std::abs},
      {"reciprocal", reciprocal, [](double x) { return 1 / x; }},
      {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }},  // at −∞ −∞·0: NaN by the formula
      {"softplus", softplus, [](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }},
      {"relu", relu, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }},
      {"elu", [](const Var& x) { return elu(x, 0.7); },
       [](double x) { return x > 0 ? x : static_cast<real>(0.7) * std::expm1(x); }},
      {"gelu", gelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
      {"clamp", [](const Var& x) { return clamp(x, -1, 0.5); },
       [](double x) { return std::isnan(x) ? x : std::clamp(x, -1.0, 0.5); }},
      {"power 1.7", [](const Var& x) { return power(x, 1.7); },
       [](double x) { return std::pow(x, static_cast<double>(static_cast<real>(1.7))); }},
      {"power -2", [](const Var& x) { return power(x, -2); }, [](double x) { return std::pow(x, -2); }},
      {"power 0", [](const Var& x) { return power(x, 0); }, [](double) { return 1.0; }}};
  // clang-format on
  const real inf = std::numeric_limits<real>::infinity();
  const Values edges{0, -0.0, 1, -1, 87, -87, 300, -300, real(1e-40), inf, -inf, inf - inf};
  ON_EVERY_MACHINE();
  for (const Row& row : rows) {
    const Tensor x({static_cast<Index>(edges.size())}, edges);
    const Numbers y = numbers(row.op(x.to(device)));
    for (std::size_t i = 0; i < edges.size(); ++i) {
      INFO(row.name << " at " << edges[i]);
      const double expected = static_cast<double>(static_cast<real>(row.f(static_cast<double>(edges[i]))));
      if (std::isnan(expected))
        CHECK(std::isnan(y[i]));
      else if (std::isinf(expected))
        CHECK(y[i] == expected);
      else if (row.name == "sin" || row.name == "cos")
        CHECK(std::abs(y[i] - expected) < 1e-6);
      else
        CHECK(y[i] == Approx(expected).epsilon(2e-6).margin(1e-37));
    }
  }
}

TEST_CASE("axes of length 0 and 1", "[ops][machines]") {
  ON_EVERY_MACHINE();
  const auto full = [&](const Shape& shape, real value) { return Var(Tensor::full(shape, value, device)); };
  const Var none = Tensor({0, 3}, device);
  CHECK((none + none).shape() == Shape{0, 3});
  CHECK(exp(none).size() == 0);
  CHECK(sum(none).item() == 0);
  CHECK(values(sum(none, {0})) == Values{0, 0, 0});
  CHECK(matmul(none, full({3, 2}, 1)).shape() == Shape{0, 2});
  CHECK(values(matmul(Tensor({2, 0}, device), none)) == Values(6, 0));
  CHECK(concat({none, none}, 0).shape() == Shape{0, 3});
  CHECK(conv2d(Tensor({0, 2, 4, 4}, device), full({3, 2, 3, 3}, 1)).shape() == Shape{0, 3, 2, 2});
  CHECK(values(conv2d(Tensor({1, 0, 4, 4}, device), Tensor({3, 0, 3, 3}, device))) == Values(12, 0));
  CHECK(group_norm(Tensor({0, 4, 2, 2}, device), full({4}, 1), full({4}, 0), 2).size() == 0);
  const Var one = full({1, 1}, 3);
  CHECK(matmul(one, one).item() == 9);
  CHECK((one * full({2, 3}, 2)).shape() == Shape{2, 3});
  CHECK(gather(one, IntTensor({2}, {0, 0}, device)).shape() == Shape{2, 1});
  CHECK(values(max(none, {0})) == Values(3, -std::numeric_limits<real>::infinity()));
  CHECK(max(one).item() == 3);
  CHECK(softmax(one, 0).item() == 1);
  CHECK(flip(none, 0).size() == 0);
  CHECK(flip(Tensor({0, Index{1} << 40}), 1).size() == 0);
  CHECK(softmax(Tensor({2, 0}, device), 0).size() == 0);
}

TEST_CASE("overflow has no place in softmax, logsumexp and their like", "[ops]") {
  const real inf = std::numeric_limits<real>::infinity();
  const Var big = Tensor({3}, {300, -300, 300});
  CHECK(logsumexp(big).item() == Approx(300 + std::log(2)));
  const Values p = values(softmax(big, 0));
  CHECK((p[0] == 0.5 && p[1] < 1e-38 && p[2] == 0.5));
  CHECK(static_cast<double>(values(log_softmax(big, 0))[1]) == Approx(-600 - std::log(2)));
  CHECK(logsumexp(Tensor({2}, {-inf, -inf})).item() == -inf);
  CHECK(logsumexp(Tensor({2}, {inf, 0})).item() == inf);
  CHECK(logsumexp(Tensor({2}, {-inf, 1})).item() == 1);
}

TEST_CASE("argmax, one-hot and comparisons", "[ops]") {
  const real nan = std::nanf("");
  CHECK(argmax(Tensor({2, 3}, {1, 5, 5, -1, -3, -2}), 1).to_vector() == std::vector<std::int32_t>{1, 0});
  CHECK(argmax(Tensor({2, 3}, {1, 5, 5, -1, -3, -2}), 0).to_vector() == std::vector<std::int32_t>{0, 0, 0});
  CHECK(argmax(Tensor({3}, {1, nan, 5}), 0).to_vector() == std::vector<std::int32_t>{1});
  CHECK(values(one_hot(IntTensor({2}, {2, 0}), 3)) == Values{0, 0, 1, 1, 0, 0});
  const Var p = parameter(Tensor({2}, {1, 2}));
  CHECK(!greater(p, p).tracked());
  CHECK(not_equal(Tensor({}, {nan}), Tensor({}, {nan})).item() == 1);
  CHECK(values(masked(Tensor({2}, {nan, 1}), Tensor({2}, {0, 1}))) == Values{0, 1});
}

namespace {

/// Holds y and its gradients, fused, to the formula's, within 8 √K ε of the largest, K terms in each; and in
/// double the fused op to finite differences.
void is_formula(const std::vector<Shape>& shapes, Device device, const Function& fused,
                const Function& formula, const std::vector<double>& K) {
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < shapes.size(); ++i) values.push_back(normal(Key{1 + i}, shapes[i]));
  Vars x;
  for (const Tensor& v : values) x.push_back(parameter(v.to(device)));
  Vars a{fused(x)}, b{formula(x)};
  const Var g = normal(Key{9}, a[0].shape()).to(device);
  for (Vars* all : {&a, &b})
    for (const Var& each : vjp(all->front(), g, x)) all->push_back(each);
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO((i == 0 ? "value" : "gradient ") << i);
    CHECK(gap(a[i], b[i]) <=
          8 * std::sqrt(K[i]) * std::numeric_limits<real>::epsilon() * largest(numbers(b[i]), 1));
  }
  if (sizeof(real) == sizeof(double) && device == Device::cpu)
    for (int order : {1, 2}) CHECK(gradient_error(fused, values, order, Key{23}) < 1e-6);
}

}  // namespace

TEST_CASE("convolution plus shift and residual is its formula", "[ops][conv][machines]") {
  const std::tuple<const char*, Shape, Shape, Window> cases[] = {
      {"plain", {2, 3, 6, 5}, {4, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1}}},
      {"Winograd", {2, 9, 7, 6}, {17, 9, 3, 3}, {{1, 1}, {0, 2}, {1, 1}}},
      {"mirrored", {2, 5, 4, 5}, {3, 5, 3, 2}, {{1, 1}, {2, 1}, {1, 1}}},
      {"pointwise", {2, 5, 4, 3}, {3, 5, 1, 1}, {}},
      {"rectangular", {2, 2, 5, 9}, {2, 2, 2, 4}, {{2, 1}, {0, 2}, {1, 2}}}};
  ON_EVERY_MACHINE();
  for (const auto& [name, image, kernel, window] : cases) {
    const Window k = window;  // clang 14 captures no structured binding
    const Shape y = conv2d(Tensor(image), Tensor(kernel), k).shape();
    const double images = static_cast<double>(y[0]), pixels = images * static_cast<double>(y[2] * y[3]),
                 taps = static_cast<double>(kernel[1] * kernel[2] * kernel[3]),
                 channels = static_cast<double>(y[1]);
    for (const Shape& shift : {Shape{y[1]}, Shape{y[0], y[1]}}) {
      INFO(name << ", shift " << str(shift));
      is_formula(
          {image, kernel, y, shift}, device, [&](const Vars& x) { return conv2d(x[0], x[1], x[3], x[2], k); },
          [&](const Vars& x) {
            return conv2d(x[0], x[1], k) + reshape(x[3], {shift.rank() == 1 ? 1 : y[0], y[1], 1, 1}) + x[2];
          },
          {taps, taps * channels, pixels, 1, shift.rank() == 1 ? pixels : pixels / images});
    }
  }
}

TEST_CASE("the fused group norm is its formula", "[ops][machines]") {
  // Images, channels, groups, height, width: few and many channels a group, in fours and not, more than a
  // block of threads, groups left over, more pixels and more images than threads of a channel.
  const Index shapes[][5] = {{3, 16, 8, 5, 7},   {3, 80, 2, 3, 3},   {3, 1042, 1, 2, 1},
                             {2, 2052, 1, 2, 1}, {3, 36, 12, 2, 5},  {1, 20, 5, 4, 1},
                             {3, 9, 9, 3, 1},    {1, 32, 8, 13, 12}, {20, 66, 33, 2, 2}};
  ON_EVERY_MACHINE();
  for (const auto& [images, C, groups, H, W] : shapes)
    for (bool with_silu : {false, true}) {
      const Index N = images, G = groups;  // clang 14 captures no structured binding
      INFO(C << " channels in " << G);
      const double terms = static_cast<double>(C / G * H * W), all = static_cast<double>(N * H * W);
      is_formula(
          {{N, C, H, W}, {C}, {C}}, device,
          [&](const Vars& x) { return group_norm(x[0], x[1], x[2], G, 1e-5, with_silu); },
          [&](const Vars& x) { return group_norm_formula(x[0], x[1], x[2], G, 1e-5, with_silu); },
          {terms, 3 * terms, 3 * all, 3 * all});
    }
}

TEST_CASE("group norm reads arrays that begin anywhere, and sums over nothing", "[ops][machines]") {
  ON_EVERY_MACHINE();
  const Tensor all = normal(Key{1}, {1 + 2 * 8 * 3 * 3}).to(device), x = all.slice(0, 1, all.size());
  const Var image = x.reshape({2, 3, 3, 8}).permute({0, 3, 1, 2}), scale = x.slice(0, 2, 10),
            shift = x.slice(0, 1, 9);
  for (bool silu : {false, true})
    CHECK(gap(group_norm(image, scale, shift, 2, 1e-5, silu),
              group_norm_formula(image, scale, shift, 2, 1e-5, silu)) <
          64 * static_cast<double>(std::numeric_limits<real>::epsilon()));

  for (const auto& [N, L] : {std::pair<Index, Index>{0, 9}, {3, 0}}) {
    INFO(N << " images of " << L << " pixels");
    const In eight = x.cspan().first(8);
    Tensor none({N, L, 8}, device), mean({N, 2}, device), rstd({N, 2}, device),
        ggamma = Tensor::full({8}, 7, device), gbeta = Tensor::full({8}, 7, device);
    const Kernels& k = kernels(device);
    k.group_norm(N, 8, L, 2, 1e-5, true, none.cspan(), eight, eight, none.span(), mean.span(), rstd.span());
    k.fill(mean.span(), 0);
    k.fill(rstd.span(), 1);
    k.group_norm_gradient(N, 8, L, 2, true, none.cspan(), none.cspan(), eight, eight, mean.cspan(),
                          rstd.cspan(), none.span(), ggamma.span(), gbeta.span());
    CHECK(values(ggamma) == Values(8, 0));
    CHECK(values(gbeta) == Values(8, 0));
  }
}

TEST_CASE("maps and copies of parts of arrays, wherever they begin", "[ops][machines]") {
  for (Device device : machines())
    for (Index begin : {0, 1, 4})
      for (Index columns : {6, 8}) {
        INFO(fmt::format("on {}, columns {} to {}", column(device), begin, begin + columns));
        const auto part = [&](Device where) {
          const Tensor x = uniform(Key{1}, {5, 12}).to(where).slice(1, begin, begin + columns),
                       y = uniform(Key{2}, {5, 16}).to(where).slice(1, 4, 4 + columns);
          Tensor to = Tensor::full({5, 13}, 0, where);
          raw::copy_into(to.slice(1, begin, begin + columns), x);
          return Vars{x.packed(), raw::binary(Binary::subtract, x, y), to};
        };
        const Vars expected = part(Device::cpu), actual = part(device);
        for (std::size_t k = 0; k < 3; ++k)
          CHECK(actual[k].value().to_vector() == expected[k].value().to_vector());
      }
}
