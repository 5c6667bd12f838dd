// The references in double, as plain as loops can be, and the table.
#include "tests/op_table.h"

#include <algorithm>
#include <cmath>

namespace dale {
namespace {

// ---- References

std::function<Exact(Exacts)> mapped(double (*f)(double)) {
  return [f](Exacts in) {
    for (double& v : in[0].v) v = f(v);
    return in[0];
  };
}

/// With NumPy's broadcasting.
std::function<Exact(Exacts)> zipped(double (*f)(double, double)) {
  return [f](Exacts in) {
    Exact y(broadcast_shape(in[0].shape, in[1].shape, "reference"));
    std::size_t n = 0;
    const auto element = [](const Exact& a, const std::vector<Index>& at) {
      Index offset = 0;
      for (int k = 0; k < a.shape.rank(); ++k)
        offset = offset * a.shape[k] + (a.shape[k] == 1 ? 0 : at[at.size() - a.shape.rank() + k]);
      return a.v[static_cast<std::size_t>(offset)];
    };
    Exact::each(y.shape, [&](const auto& at) { y.v[n++] = f(element(in[0], at), element(in[1], at)); });
    return y;
  };
}

// ---- The table

void add_elementwise(std::vector<Row>& t) {
  const auto map = [&](const char* name, Var (*op)(const Var&), double (*f)(double), double low = -2,
                       double high = 2) {
    t.push_back({name, {{3, 17}}, [op](const Vars& x) { return op(x[0]); }, mapped(f), low, high});
  };
  map("negate", [](const Var& x) { return -x; }, [](double x) { return -x; });
  map("exp", exp, std::exp, -20, 20);
  map("log", log, std::log, 0.1, 20);
  map("sqrt", sqrt, std::sqrt, 0.1, 20);
  map("square", square, [](double x) { return x * x; });
  map("reciprocal", reciprocal, [](double x) { return 1 / x; }, 0.5, 3);
  map("sin", sin, std::sin, -9, 9);
  map("cos", cos, std::cos, -9, 9);
  map("sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -9, 9);
  map("silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, -9, 9);

  map("expm1", expm1, std::expm1, -9, 9);
  map("log1p", log1p, std::log1p, -0.9, 9);
  map("rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.1, 20);
  map("abs", abs, std::abs, 0.1, 2);
  map("tanh", tanh, std::tanh, -5, 5);
  map("erf", erf, std::erf, -3, 3);
  map(
      "softplus", softplus, [](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); },
      -9, 9);
  map("relu", relu, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }, 0.1, 2);
  map(
      "elu", [](const Var& x) { return elu(x, 0.7); },
      [](double x) { return x > 0 ? x : static_cast<real>(0.7) * std::expm1(x); }, -3, -0.1);
  map("gelu", gelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, -3, 3);
  map(
      "clamp", [](const Var& x) { return clamp(x, -1, 0.5); },
      [](double x) { return std::isnan(x) ? x : std::clamp(x, -1.0, 0.5); }, -0.9, 0.4);
  map(
      "power 1.7", [](const Var& x) { return power(x, 1.7); },
      [](double x) { return std::pow(x, static_cast<double>(static_cast<real>(1.7))); }, 0.3, 3);
  map(
      "power -2", [](const Var& x) { return power(x, -2); }, [](double x) { return std::pow(x, -2); }, 0.5,
      3);
  map("power 0", [](const Var& x) { return power(x, 0); }, [](double) { return 1.0; });

  const auto zip = [&](const char* name, Var (*op)(const Var&, const Var&), double (*f)(double, double),
                       double low = -2, double high = 2) {
    for (const auto& shapes :
         std::vector<std::vector<Shape>>{{{4, 5}, {4, 5}}, {{2, 3, 4}, {3, 1}}, {{}, {5}}, {{2, 1}, {1, 3}}})
      t.push_back({name, shapes, [op](const Vars& x) { return op(x[0], x[1]); }, zipped(f), low, high});
  };
  zip("add", operator+, [](double a, double b) { return a + b; });
  zip("subtract", operator-, [](double a, double b) { return a - b; });
  zip("multiply", operator*, [](double a, double b) { return a * b; });
  zip("divide", operator/, [](double a, double b) { return a / b; }, 0.5, 3);
  zip("power", [](const Var& a, const Var& b) { return power(a, b); }, std::pow, 0.5, 3);
  zip("maximum", maximum, [](double a, double b) { return a > b ? a : b; });
  zip("minimum", minimum, [](double a, double b) { return a < b ? a : b; });
  zip("greater", greater, [](double a, double b) { return a > b ? 1.0 : 0.0; });
  zip("greater_equal", greater_equal, [](double a, double b) { return a >= b ? 1.0 : 0.0; });
  zip("less", less, [](double a, double b) { return a < b ? 1.0 : 0.0; });
  zip("less_equal", less_equal, [](double a, double b) { return a <= b ? 1.0 : 0.0; });
  zip("equal", equal, [](double a, double b) { return a == b ? 1.0 : 0.0; });
  zip("not_equal", not_equal, [](double a, double b) { return a != b ? 1.0 : 0.0; });
  zip(
      "masked", [](const Var& a, const Var& b) { return masked(a, greater(b, Tensor({}, {0}, b.device()))); },
      [](double a, double b) { return b > 0 ? a : 0.0; });
  t.push_back({"where",
               {{2, 3}, {2, 3}, {3}},
               [](const Vars& x) { return where(greater(x[0], Tensor({}, {0}, x[0].device())), x[1], x[2]); },
               [](Exacts in) {
                 Exact y({2, 3});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1]}) =
                       in[0].at({i[0], i[1]}) > 0 ? in[1].at({i[0], i[1]}) : in[2].at({i[1]});
                 });
                 return y;
               }});
}

void add_shapes(std::vector<Row>& t) {
  const Shape s{2, 3, 4};
  t.push_back({"reshape", {s}, [](const Vars& x) { return reshape(x[0], {6, -1}); }, [](Exacts in) {
                 in[0].shape = {6, 4};
                 return in[0];
               }});
  t.push_back({"permute", {s}, [](const Vars& x) { return permute(x[0], {2, 0, -2}); }, [](Exacts in) {
                 Exact y({4, 2, 3});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1], i[2]}) = in[0].at({i[1], i[2], i[0]});
                 });
                 return y;
               }});
  t.push_back({"slice", {{2, 7}}, [](const Vars& x) { return slice(x[0], -1, 1, 6, 2); }, [](Exacts in) {
                 Exact y({2, 3});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1]}) = in[0].at({i[0], 1 + 2 * i[1]});
                 });
                 return y;
               }});
  t.push_back({"place", {{2, 3}}, [](const Vars& x) { return place(x[0], 1, 1, 2, 7); }, [](Exacts in) {
                 Exact y({2, 7});
                 Exact::each(in[0].shape, [&](const auto& i) {
                   y.at({i[0], 1 + 2 * i[1]}) = in[0].at({i[0], i[1]});
                 });
                 return y;
               }});
  t.push_back({"concat", {{2, 3}, {2, 1}, {2, 0}}, [](const Vars& x) { return concat(x, 1); }, [](Exacts in) {
                 Exact y({2, 4});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1]}) = i[1] < 3 ? in[0].at({i[0], i[1]}) : in[1].at({i[0], 0});
                 });
                 return y;
               }});
  t.push_back({"broadcast_to",
               {{3, 1}},
               [](const Vars& x) {
                 return broadcast_to(x[0], {2, 3, 4});
               },
               [](Exacts in) {
                 Exact y({2, 3, 4});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[0].at({i[1], 0}); });
                 return y;
               }});
  t.push_back({"pad", {{2, 3}}, [](const Vars& x) { return pad(x[0], -1, 1, 2); }, [](Exacts in) {
                 Exact y({2, 6});
                 Exact::each(in[0].shape, [&](const auto& i) {
                   y.at({i[0], i[1] + 1}) = in[0].at({i[0], i[1]});
                 });
                 return y;
               }});
  t.push_back({"stack", {{2, 3}, {2, 3}}, [](const Vars& x) { return stack(x, 1); }, [](Exacts in) {
                 Exact y({2, 2, 3});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1], i[2]}) = in[i[1]].at({i[0], i[2]});
                 });
                 return y;
               }});
  t.push_back({"split",
               {{2, 5}},
               [](const Vars& x) {
                 return concat({split(x[0], {2, 0, 3}, 1)[2], split(x[0], {4, 1}, 1)[1]}, 1);
               },
               [](Exacts in) {
                 Exact y({2, 4});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1]}) = in[0].at({i[0], i[1] < 3 ? i[1] + 2 : 4});
                 });
                 return y;
               }});
  t.push_back({"flip", {{2, 3, 4}}, [](const Vars& x) { return flip(x[0], 1); }, [](Exacts in) {
                 Exact y({2, 3, 4});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1], i[2]}) = in[0].at({i[0], 2 - i[1], i[2]});
                 });
                 return y;
               }});
  t.push_back({"embedding",
               {{3, 2}},
               [](const Vars& x) {
                 return embedding(x[0], IntTensor({2, 2}, {2, 0, 2, 1}).to(x[0].device()));
               },
               [](Exacts in) {
                 Exact y({2, 2, 2});
                 const int index[] = {2, 0, 2, 1};
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1], i[2]}) = in[0].at({index[2 * i[0] + i[1]], i[2]});
                 });
                 return y;
               }});
  const IntTensor index({4}, {2, 0, 2, 1});
  t.push_back({"gather",
               {{3, 2}},
               [index](const Vars& x) { return gather(x[0], index.to(x[0].device())); },
               [index](Exacts in) {
                 Exact y({4, 2});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1]}) = in[0].at({index.to_vector()[i[0]], i[1]});
                 });
                 return y;
               }});
  t.push_back({"scatter_add",
               {{4, 2}},
               [index](const Vars& x) { return scatter_add(x[0], index.to(x[0].device()), 5); },
               [index](Exacts in) {
                 Exact y({5, 2});
                 Exact::each(in[0].shape, [&](const auto& i) {
                   y.at({index.to_vector()[i[0]], i[1]}) += in[0].at({i[0], i[1]});
                 });
                 return y;
               }});
}

void add_reductions(std::vector<Row>& t) {
  t.push_back({"sum_to", {{2, 3, 4}}, [](const Vars& x) { return sum_to(x[0], {3, 1}); }, [](Exacts in) {
                 Exact y({3, 1});
                 Exact::each(in[0].shape, [&](const auto& i) {
                   y.at({i[1], 0}) += in[0].at({i[0], i[1], i[2]});
                 });
                 return y;
               }, -2, 2, 8});
  t.push_back({"sum", {{40, 33}}, [](const Vars& x) { return sum(x[0]); }, [](Exacts in) {
                 Exact y(Shape{});
                 for (double v : in[0].v) y.v[0] += v;
                 return y;
               }, -2, 2, 1320});
  t.push_back({"sum of columns", {{70, 20}}, [](const Vars& x) { return sum(x[0], {0}); }, [](Exacts in) {
                 Exact y({20});
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({i[1]}) += in[0].at({i[0], i[1]}); });
                 return y;
               }, -2, 2, 70});
  t.push_back({"mean", {{2, 3, 4}}, [](const Vars& x) { return mean(x[0], {0, -1}, true); }, [](Exacts in) {
                 Exact y({1, 3, 1});
                 Exact::each(in[0].shape, [&](const auto& i) {
                   y.at({0, i[1], 0}) += in[0].at({i[0], i[1], i[2]}) / 8;
                 });
                 return y;
               }, -2, 2, 8});
  const auto rows = [&](const char* name, const Shape& shape, std::function<Var(const Vars&)> op,
                        double (*f)(const std::vector<double>&), bool keep, double terms) {
    t.push_back({name, {shape}, op, [=](Exacts in) {  // f of each row, for reductions over the last axis
                   Exact y(keep ? Shape{shape[0], 1} : Shape{shape[0]});
                   for (Index i = 0; i < shape[0]; ++i)
                     y.v[i] = f({in[0].v.begin() + i * shape[1], in[0].v.begin() + (i + 1) * shape[1]});
                   return y;
                 }, -2, 2, terms});
  };
  rows(
      "max", {5, 7}, [](const Vars& x) { return max(x[0], {1}); },
      [](const auto& v) { return *std::max_element(v.begin(), v.end()); }, false, 1);
  rows(
      "min", {5, 7}, [](const Vars& x) { return min(x[0], {-1}, true); },
      [](const auto& v) { return *std::min_element(v.begin(), v.end()); }, true, 1);
  rows("logsumexp", {5, 7}, [](const Vars& x) { return logsumexp(x[0], {1}); }, [](const auto& v) {
    double total = 0;
    for (double x : v) total += std::exp(x);
    return std::log(total);
  }, false, 7);
  rows("norm", {5, 7}, [](const Vars& x) { return norm(x[0], {1}, true); }, [](const auto& v) {
    double total = 0;
    for (double x : v) total += x * x;
    return std::sqrt(total);
  }, true, 7);
  rows("variance", {5, 7}, [](const Vars& x) { return variance(x[0], {1}, false, 1); }, [](const auto& v) {
    double mean = 0, total = 0;
    for (double x : v) mean += x / static_cast<double>(v.size());
    for (double x : v) total += (x - mean) * (x - mean) / static_cast<double>(v.size() - 1);
    return total;
  }, false, 7);
  rows("cross_entropy of a row", {5, 4}, [](const Vars& x) {
    Vars each_row;
    for (const Var& row : split(x[0], {1, 1, 1, 1, 1}, 0))
      each_row.push_back(cross_entropy(row, IntTensor({1}, {2}).to(row.device())));
    return stack(each_row, 0);
  }, [](const auto& v) {
    double total = 0;
    for (double x : v) total += std::exp(x);
    return std::log(total) - v[2];
  }, false, 4);
  for (bool logarithm : {false, true})
    t.push_back({logarithm ? "log_softmax" : "softmax",
                 {{5, 7}},
                 [=](const Vars& x) { return logarithm ? log_softmax(x[0], -1) : softmax(x[0], 1); },
                 [=](Exacts in) {
                   for (Index i = 0; i < 5; ++i) {
                     double total = 0;
                     for (Index j = 0; j < 7; ++j) total += std::exp(in[0].at({i, j}));
                     for (Index j = 0; j < 7; ++j)
                       in[0].at({i, j}) = logarithm ? in[0].at({i, j}) - std::log(total)
                                                    : std::exp(in[0].at({i, j})) / total;
                   }
                   return in[0];
                 },
                 -2,
                 2,
                 7});
  t.push_back({"mean_squared_error",
               {{3, 5}, {3, 5}},
               [](const Vars& x) { return mean_squared_error(x[0], x[1]); },
               [](Exacts in) {
                 Exact y(Shape{});
                 for (std::size_t i = 0; i < in[0].v.size(); ++i)
                   y.v[0] += std::pow(in[0].v[i] - in[1].v[i], 2) / 15;
                 return y;
               },
               -2,
               2,
               15});
}

}  // namespace

std::vector<Row> op_table() {
  std::vector<Row> t;
  add_elementwise(t);
  add_shapes(t);
  add_reductions(t);
  add_composites(t);
  add_products(t);
  return t;
}

}  // namespace dale
