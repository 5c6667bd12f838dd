// One table of ops over machines and orders of differentiation. Every row gets, on every machine present: its values
// against a reference in double written here, strided inputs equal to packed ones, lengths 0 and 1, gradients of order 1
// and 2 against finite differences (double build), and no graph node left behind.
#include <catch2/catch.hpp>
#include <cmath>

#include "autograd/gradcheck.h"
#include "tensor/cuda/machine.h"

using namespace dale;

namespace {

/// An array in double, and its element by indices: what references are written in.
struct Exact {
  Shape shape;
  std::vector<double> v;

  Exact(const Shape& s) : shape(s), v(static_cast<std::size_t>(element_count(s))) {}
  Exact(const Tensor& t) : shape(t.shape()) {
    for (real x : t.to_vector()) v.push_back(static_cast<double>(x));
  }
  double& at(std::initializer_list<Index> i) {
    Index offset = 0;
    int k = 0;
    for (Index j : i) offset = offset * shape[k++] + j;
    return v[static_cast<std::size_t>(offset)];
  }
  /// Calls f(indices) for every element in order.
  template <class F>
  static void each(const Shape& s, const F& f) {
    std::vector<Index> at(static_cast<std::size_t>(s.rank()));
    for (Index n = element_count(s); n-- > 0;) {
      f(at);
      for (int k = s.rank() - 1; k >= 0 && ++at[k] == s[k]; --k) at[k] = 0;
    }
  }
};
using Exacts = std::vector<Exact>;

struct Row {
  std::string name;
  std::vector<Shape> shapes;
  Function op;
  std::function<Exact(Exacts)> reference;
  double low = -2, high = 2;  // the inputs' domain
  double terms = 1;           // K: how many terms a result sums, for the tolerance 8 √K ε
};

// ---- References ---------------------------------------------------------------------------------------------------

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

Exact matmul_reference(Exact a, Exact b, bool ta, bool tb) {
  const Index M = a.shape[ta], K = a.shape[!ta], N = b.shape[!tb];
  Exact y({M, N});
  for (Index m = 0; m < M; ++m)
    for (Index n = 0; n < N; ++n)
      for (Index k = 0; k < K; ++k) y.at({m, n}) += (ta ? a.at({k, m}) : a.at({m, k})) * (tb ? b.at({n, k}) : b.at({k, n}));
  return y;
}

/// Walks every term of the trilinear form T: f(x index, w index, y index).
template <class F>
void trilinear(const Shape& x, const Shape& w, const Shape& y, const Window& k, const F& f) {
  Exact::each({y[0], y[1], y[2], y[3]}, [&](const auto& at) {
    Exact::each({w[1], w[2], w[3]}, [&](const auto& tap) {
      const Index h = at[2] * k.stride[0] - k.padding[0] + tap[1] * k.dilation[0];
      const Index v = at[3] * k.stride[1] - k.padding[1] + tap[2] * k.dilation[1];
      if (h < 0 || h >= x[2] || v < 0 || v >= x[3]) return;
      f(((at[0] * x[1] + tap[0]) * x[2] + h) * x[3] + v, ((at[1] * w[1] + tap[0]) * w[2] + tap[1]) * w[3] + tap[2],
        ((at[0] * y[1] + at[1]) * y[2] + at[2]) * y[3] + at[3]);
    });
  });
}

/// The derivative of T that leaves out argument `open`: 0 x, 1 w, 2 y.
Exact conv_reference(const Exacts& in, int open, const Shape& x, const Shape& w, const Shape& y, const Window& k) {
  Exact out(open == 0 ? x : open == 1 ? w : y);
  trilinear(x, w, y, k, [&](Index ix, Index iw, Index iy) {
    if (open == 0) out.v[ix] += in[0].v[iy] * in[1].v[iw];
    if (open == 1) out.v[iw] += in[0].v[ix] * in[1].v[iy];
    if (open == 2) out.v[iy] += in[0].v[ix] * in[1].v[iw];
  });
  return out;
}

Exact group_norm_reference(Exacts in, Index groups, bool with_silu) {
  const Index N = in[0].shape[0], C = in[0].shape[1], L = static_cast<Index>(in[0].v.size()) / (N * C), M = C / groups * L;
  for (Index p = 0; p < N * groups; ++p) {
    double* x = in[0].v.data() + p * M;
    double mean = 0, variance = 0;
    for (Index i = 0; i < M; ++i) mean += x[i] / M;
    for (Index i = 0; i < M; ++i) variance += (x[i] - mean) * (x[i] - mean) / M;
    for (Index i = 0; i < M; ++i) {
      const std::size_t c = static_cast<std::size_t>(p % groups * (C / groups) + i / L);
      const double z = (x[i] - mean) / std::sqrt(variance + 1e-5) * in[1].v[c] + in[2].v[c];
      x[i] = with_silu ? z / (1 + std::exp(-z)) : z;
    }
  }
  return in[0];
}

// ---- The table -----------------------------------------------------------------------------------------------------

void add_elementwise(std::vector<Row>& t) {
  const auto map = [&](const char* name, Var (*op)(const Var&), double (*f)(double), double low = -2, double high = 2) {
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
  map("softplus", softplus, [](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }, -9, 9);
  map("relu", relu, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }, 0.1, 2);
  map("elu", [](const Var& x) { return elu(x, 0.7); }, [](double x) { return x > 0 ? x : static_cast<real>(0.7) * std::expm1(x); }, -3, -0.1);
  map("gelu", gelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, -3, 3);
  map("clamp", [](const Var& x) { return clamp(x, -1, 0.5); }, [](double x) { return std::isnan(x) ? x : std::clamp(x, -1.0, 0.5); }, -0.9, 0.4);
  map("power 1.7", [](const Var& x) { return power(x, 1.7); }, [](double x) { return std::pow(x, static_cast<double>(static_cast<real>(1.7))); }, 0.3, 3);
  map("power -2", [](const Var& x) { return power(x, -2); }, [](double x) { return std::pow(x, -2); }, 0.5, 3);
  map("power 0", [](const Var& x) { return power(x, 0); }, [](double) { return 1.0; });

  const auto zip = [&](const char* name, Var (*op)(const Var&, const Var&), double (*f)(double, double), double low = -2,
                       double high = 2) {
    for (const auto& shapes : std::vector<std::vector<Shape>>{{{4, 5}, {4, 5}}, {{2, 3, 4}, {3, 1}}, {{}, {5}}, {{2, 1}, {1, 3}}})
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
  zip("masked", [](const Var& a, const Var& b) { return masked(a, greater(b, Tensor({}, {0}))); }, [](double a, double b) { return b > 0 ? a : 0.0; });
  t.push_back({"where", {{2, 3}, {2, 3}, {3}}, [](const Vars& x) { return where(greater(x[0], Tensor({}, {0})), x[1], x[2]); }, [](Exacts in) {
                 Exact y({2, 3});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1]}) = in[0].at({i[0], i[1]}) > 0 ? in[1].at({i[0], i[1]}) : in[2].at({i[1]}); });
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
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[0].at({i[1], i[2], i[0]}); });
                 return y;
               }});
  t.push_back({"slice", {{2, 7}}, [](const Vars& x) { return slice(x[0], -1, 1, 6, 2); }, [](Exacts in) {
                 Exact y({2, 3});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1]}) = in[0].at({i[0], 1 + 2 * i[1]}); });
                 return y;
               }});
  t.push_back({"place", {{2, 3}}, [](const Vars& x) { return place(x[0], 1, 1, 2, 7); }, [](Exacts in) {
                 Exact y({2, 7});
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({i[0], 1 + 2 * i[1]}) = in[0].at({i[0], i[1]}); });
                 return y;
               }});
  t.push_back({"concat", {{2, 3}, {2, 1}, {2, 0}}, [](const Vars& x) { return concat(x, 1); }, [](Exacts in) {
                 Exact y({2, 4});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1]}) = i[1] < 3 ? in[0].at({i[0], i[1]}) : in[1].at({i[0], 0}); });
                 return y;
               }});
  t.push_back({"broadcast_to", {{3, 1}}, [](const Vars& x) { return broadcast_to(x[0], {2, 3, 4}); }, [](Exacts in) {
                 Exact y({2, 3, 4});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[0].at({i[1], 0}); });
                 return y;
               }});
  t.push_back({"pad", {{2, 3}}, [](const Vars& x) { return pad(x[0], -1, 1, 2); }, [](Exacts in) {
                 Exact y({2, 6});
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({i[0], i[1] + 1}) = in[0].at({i[0], i[1]}); });
                 return y;
               }});
  t.push_back({"stack", {{2, 3}, {2, 3}}, [](const Vars& x) { return stack(x, 1); }, [](Exacts in) {
                 Exact y({2, 2, 3});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[i[1]].at({i[0], i[2]}); });
                 return y;
               }});
  t.push_back({"split", {{2, 5}}, [](const Vars& x) { return concat({split(x[0], {2, 0, 3}, 1)[2], split(x[0], {4, 1}, 1)[1]}, 1); }, [](Exacts in) {
                 Exact y({2, 4});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1]}) = in[0].at({i[0], i[1] < 3 ? i[1] + 2 : 4}); });
                 return y;
               }});
  t.push_back({"flip", {{2, 3, 4}}, [](const Vars& x) { return flip(x[0], 1); }, [](Exacts in) {
                 Exact y({2, 3, 4});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[0].at({i[0], 2 - i[1], i[2]}); });
                 return y;
               }});
  t.push_back({"embedding", {{3, 2}}, [](const Vars& x) { return embedding(x[0], IntTensor({2, 2}, {2, 0, 2, 1}).to(x[0].device())); }, [](Exacts in) {
                 Exact y({2, 2, 2});
                 const int index[] = {2, 0, 2, 1};
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2]}) = in[0].at({index[2 * i[0] + i[1]], i[2]}); });
                 return y;
               }});
  const IntTensor index({4}, {2, 0, 2, 1});
  t.push_back({"gather", {{3, 2}}, [index](const Vars& x) { return gather(x[0], index.to(x[0].device())); }, [index](Exacts in) {
                 Exact y({4, 2});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1]}) = in[0].at({index.to_vector()[i[0]], i[1]}); });
                 return y;
               }});
  t.push_back({"scatter_add", {{4, 2}}, [index](const Vars& x) { return scatter_add(x[0], index.to(x[0].device()), 5); }, [index](Exacts in) {
                 Exact y({5, 2});
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({index.to_vector()[i[0]], i[1]}) += in[0].at({i[0], i[1]}); });
                 return y;
               }});
}

void add_reductions(std::vector<Row>& t) {
  t.push_back({"sum_to", {{2, 3, 4}}, [](const Vars& x) { return sum_to(x[0], {3, 1}); }, [](Exacts in) {
                 Exact y({3, 1});
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({i[1], 0}) += in[0].at({i[0], i[1], i[2]}); });
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
                 Exact::each(in[0].shape, [&](const auto& i) { y.at({0, i[1], 0}) += in[0].at({i[0], i[1], i[2]}) / 8; });
                 return y;
               }, -2, 2, 8});
  const auto rows = [&](const char* name, const Shape& shape, Function op, double (*f)(const std::vector<double>&), bool keep, double terms) {
    t.push_back({name, {shape}, op, [=](Exacts in) {  // f of each row, for reductions over the last axis
                   Exact y(keep ? Shape{shape[0], 1} : Shape{shape[0]});
                   for (Index i = 0; i < shape[0]; ++i) y.v[i] = f({in[0].v.begin() + i * shape[1], in[0].v.begin() + (i + 1) * shape[1]});
                   return y;
                 }, -2, 2, terms});
  };
  rows("max", {5, 7}, [](const Vars& x) { return max(x[0], {1}); }, [](const auto& v) { return *std::max_element(v.begin(), v.end()); }, false, 1);
  rows("min", {5, 7}, [](const Vars& x) { return min(x[0], {-1}, true); }, [](const auto& v) { return *std::min_element(v.begin(), v.end()); }, true, 1);
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
    for (const Var& row : split(x[0], {1, 1, 1, 1, 1}, 0)) each_row.push_back(cross_entropy(row, IntTensor({1}, {2}).to(row.device())));
    return stack(each_row, 0);
  }, [](const auto& v) {
    double total = 0;
    for (double x : v) total += std::exp(x);
    return std::log(total) - v[2];
  }, false, 4);
  for (bool logarithm : {false, true})
    t.push_back({logarithm ? "log_softmax" : "softmax", {{5, 7}}, [=](const Vars& x) { return logarithm ? log_softmax(x[0], -1) : softmax(x[0], 1); }, [=](Exacts in) {
                   for (Index i = 0; i < 5; ++i) {
                     double total = 0;
                     for (Index j = 0; j < 7; ++j) total += std::exp(in[0].at({i, j}));
                     for (Index j = 0; j < 7; ++j) in[0].at({i, j}) = logarithm ? in[0].at({i, j}) - std::log(total) : std::exp(in[0].at({i, j})) / total;
                   }
                   return in[0];
                 }, -2, 2, 7});
  t.push_back({"mean_squared_error", {{3, 5}, {3, 5}}, [](const Vars& x) { return mean_squared_error(x[0], x[1]); }, [](Exacts in) {
                 Exact y(Shape{});
                 for (std::size_t i = 0; i < in[0].v.size(); ++i) y.v[0] += std::pow(in[0].v[i] - in[1].v[i], 2) / 15;
                 return y;
               }, -2, 2, 15});
  t.push_back({"upsample_nearest", {{2, 1, 2, 3}}, [](const Vars& x) { return upsample_nearest(x[0], 2); }, [](Exacts in) {
                 Exact y({2, 1, 4, 6});
                 Exact::each(y.shape, [&](const auto& i) { y.at({i[0], i[1], i[2], i[3]}) = in[0].at({i[0], i[1], i[2] / 2, i[3] / 2}); });
                 return y;
               }});
  t.push_back({"upsample_bilinear", {{2, 1, 3, 2}}, [](const Vars& x) { return upsample_bilinear(x[0], 2); }, [](Exacts in) {
                 Exact y({2, 1, 6, 4});
                 Exact::each(y.shape, [&](const auto& i) {
                   const auto at = [](Index k, Index n) { return std::clamp((static_cast<double>(k) + 0.5) / 2 - 0.5, 0.0, static_cast<double>(n - 1)); };
                   const double h = at(i[2], 3), w = at(i[3], 2);
                   Exact::each({3, 2}, [&](const auto& p) {
                     const double weight = std::max(0.0, 1 - std::abs(h - static_cast<double>(p[0]))) * std::max(0.0, 1 - std::abs(w - static_cast<double>(p[1])));
                     y.at({i[0], i[1], i[2], i[3]}) += weight * in[0].at({i[0], i[1], p[0], p[1]});
                   });
                 });
                 return y;
               }, -2, 2, 4});
  for (bool largest : {false, true})
    t.push_back({largest ? "max_pool" : "average_pool", {{2, 2, 5, 6}}, [=](const Vars& x) { return largest ? max_pool(x[0], 3, 2, 1) : average_pool(x[0], 3, 2, 1); }, [=](Exacts in) {
                   Exact y({2, 2, 3, 3});
                   Exact::each(y.shape, [&](const auto& i) {
                     double best = -1e9, total = 0;
                     Exact::each({3, 3}, [&](const auto& tap) {
                       const Index h = 2 * i[2] - 1 + tap[0], w = 2 * i[3] - 1 + tap[1];
                       if (h < 0 || h >= 5 || w < 0 || w >= 6) return;
                       const double v = in[0].at({i[0], i[1], h, w});
                       best = std::max(best, v);
                       total += v / 9;
                     });
                     y.at({i[0], i[1], i[2], i[3]}) = largest ? best : total;
                   });
                   return y;
                 }, -2, 2, 9});
  t.push_back({"layer_norm", {{4, 6}, {6}, {6}}, [](const Vars& x) { return layer_norm(x[0], x[1], x[2]); }, [](Exacts in) {
                 // Each row is one group over all of a (1,6) image, with gamma and beta a column each.
                 for (Index n = 0; n < 4; ++n) {
                   double mean = 0, variance = 0;
                   for (Index c = 0; c < 6; ++c) mean += in[0].at({n, c}) / 6;
                   for (Index c = 0; c < 6; ++c) variance += std::pow(in[0].at({n, c}) - mean, 2) / 6;
                   for (Index c = 0; c < 6; ++c) in[0].at({n, c}) = (in[0].at({n, c}) - mean) / std::sqrt(variance + 1e-5) * in[1].v[c] + in[2].v[c];
                 }
                 return in[0];
               }, -2, 2, 6});
  t.push_back({"instance_norm", {{2, 3, 4, 2}, {3}, {3}}, [](const Vars& x) { return instance_norm(x[0], x[1], x[2]); },
               [](Exacts in) { return group_norm_reference(in, 3, false); }, -2, 2, 8});
  for (bool with_silu : {false, true}) {
    const char* name = with_silu ? "group_norm, silu" : "group_norm";
    t.push_back({name, {{2, 6, 3, 5}, {6}, {6}}, [=](const Vars& x) { return group_norm(x[0], x[1], x[2], 3, 1e-5, with_silu); },
                 [=](Exacts in) { return group_norm_reference(in, 3, with_silu); }, -2, 2, 30});
  }
}

void add_products(std::vector<Row>& t) {
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = flags & 1, tb = flags & 2;
    const Shape a = ta ? Shape{7, 4} : Shape{4, 7}, b = tb ? Shape{5, 7} : Shape{7, 5};
    t.push_back({fmt::format("matmul{}{}", ta ? " aᵀ" : "", tb ? " bᵀ" : ""), {a, b},
                 [=](const Vars& x) { return matmul(x[0], x[1], ta, tb); },
                 [=](Exacts in) { return matmul_reference(in[0], in[1], ta, tb); }, -2, 2, 7});
  }
  t.push_back({"matmul batched", {{3, 2, 4}, {3, 4, 5}}, [](const Vars& x) { return matmul(x[0], x[1]); }, [](Exacts in) {
                 Exact y({3, 2, 5});
                 Exact::each({3, 2, 5, 4}, [&](const auto& i) { y.at({i[0], i[1], i[2]}) += in[0].at({i[0], i[1], i[3]}) * in[1].at({i[0], i[3], i[2]}); });
                 return y;
               }, -2, 2, 4});

  t.push_back({"matmul broadcast", {{2, 1, 2, 4}, {3, 4, 5}}, [](const Vars& x) { return matmul(x[0], x[1]); }, [](Exacts in) {
                 Exact y({2, 3, 2, 5});
                 Exact::each({2, 3, 2, 5, 4}, [&](const auto& i) { y.at({i[0], i[1], i[2], i[3]}) += in[0].at({i[0], 0, i[2], i[4]}) * in[1].at({i[1], i[4], i[3]}); });
                 return y;
               }, -2, 2, 4});
  t.push_back({"attention", {{2, 3, 4}, {2, 5, 4}, {2, 5, 6}}, [](const Vars& x) { return attention(x[0], x[1], x[2]); }, [](Exacts in) {
                 Exact y({2, 3, 6});
                 Exact::each({2, 3}, [&](const auto& i) {
                   double weight[5], total = 0;
                   for (Index s = 0; s < 5; ++s) {
                     double score = 0;
                     for (Index d = 0; d < 4; ++d) score += in[0].at({i[0], i[1], d}) * in[1].at({i[0], s, d}) / 2;
                     total += weight[s] = std::exp(score);
                   }
                   for (Index s = 0; s < 5; ++s)
                     for (Index e = 0; e < 6; ++e) y.at({i[0], i[1], e}) += weight[s] / total * in[2].at({i[0], s, e});
                 });
                 return y;
               }, -2, 2, 20});

  struct Case {
    const char* name;
    Shape x, w;
    Window k;
  };
  const Case cases[] = {{"plain", {2, 3, 6, 5}, {4, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1}}},
                        {"stride 2", {2, 2, 7, 8}, {3, 2, 3, 3}, {{2, 2}, {1, 1}, {1, 1}}},
                        {"dilation 2", {1, 2, 9, 8}, {2, 2, 3, 3}, {{1, 1}, {2, 2}, {2, 2}}},
                        {"rectangular", {2, 2, 5, 9}, {2, 2, 2, 4}, {{2, 1}, {0, 2}, {1, 2}}},
                        {"pointwise", {2, 5, 4, 3}, {3, 5, 1, 1}, {}},
                        {"wide padding", {1, 1, 2, 2}, {1, 1, 2, 2}, {{3, 3}, {3, 3}, {1, 1}}}};
  for (const Case& c : cases) {
    Shape y{c.x[0], c.w[0]};
    for (int i = 0; i < 2; ++i)
      y.push_back((c.x[2 + i] + 2 * c.k.padding[i] - c.k.dilation[i] * (c.w[2 + i] - 1) - 1) / c.k.stride[i] + 1);
    const Shape x = c.x, w = c.w;
    const Window k = c.k;
    const double taps = static_cast<double>(w[1] * w[2] * w[3]), pixels = static_cast<double>(y[0] * y[2] * y[3]);
    t.push_back({fmt::format("conv2d {}", c.name), {x, w}, [=](const Vars& v) { return conv2d(v[0], v[1], k); },
                 [=](Exacts in) { return conv_reference(in, 2, x, w, y, k); }, -2, 2, taps});
    t.push_back({fmt::format("conv2d_input {}", c.name), {y, w}, [=](const Vars& v) { return conv2d_input(v[0], v[1], x, k); },
                 [=](Exacts in) { return conv_reference(in, 0, x, w, y, k); }, -2, 2, taps * static_cast<double>(w[0])});
    t.push_back({fmt::format("conv2d_weight {}", c.name), {x, y}, [=](const Vars& v) { return conv2d_weight(v[0], v[1], w, k); },
                 [=](Exacts in) { return conv_reference(in, 1, x, w, y, k); }, -2, 2, pixels});
  }
}

std::vector<Row> table() {
  std::vector<Row> t;
  add_elementwise(t);
  add_shapes(t);
  add_reductions(t);
  add_products(t);
  return t;
}

std::vector<Device> machines() {
  return cuda_missing().empty() ? std::vector<Device>{Device::cpu, Device::cuda} : std::vector<Device>{Device::cpu};
}

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

void check_close(const Tensor& actual, const Exact& expected, double terms) {
  REQUIRE(actual.shape() == expected.shape);
  double largest = 1;
  for (double v : expected.v) largest = std::max(largest, std::abs(v));
  const double tolerance = 8 * std::sqrt(terms) * static_cast<double>(std::numeric_limits<real>::epsilon()) * largest;
  const std::vector<real> values = actual.to_vector();
  std::size_t bad = 0;  // a NaN is not within the tolerance
  for (std::size_t i = 0; i < values.size(); ++i) bad += !(std::abs(static_cast<double>(values[i]) - expected.v[i]) <= tolerance);
  CHECK(bad == 0);
}

}  // namespace

TEST_CASE("every op: values against a reference in double, on every machine", "[ops]") {
  for (const Row& row : table())
    for (Device device : machines()) {
      INFO(row.name << " on " << str(device));
      const auto x = inputs_of(row);
      const Exact expected = row.reference(Exacts(x.begin(), x.end()));
      check_close(row.op(on(device, x)).value(), expected, row.terms);
      std::vector<Tensor> views;
      for (const Tensor& t : x) views.push_back(strided(t.to(device)));
      check_close(row.op(Vars(views.begin(), views.end())).value(), expected, row.terms);
    }
}

TEST_CASE("every op: no node outlives its graph, and gradients have their inputs' shapes", "[ops]") {
  for (const Row& row : table()) {
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
  for (const Row& row : table())
    for (int order : {1, 2}) {
      INFO(row.name << ", order " << order);
      const double error = gradient_error(row.op, inputs_of(row), order, Key{23});
      CHECK(error < 1e-6);
      worst[order] = std::max(worst[order], error);
    }
  fmt::print("op table: {} rows, worst relative error {:.1e} at order 1, {:.1e} at order 2\n", table().size(), worst[1], worst[2]);
}
#endif

TEST_CASE("elementwise ops at the edges of their domains", "[ops]") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const std::vector<double> edges{0, -0.0, 1, -1, 87, -87, 300, -300, 1e-40, inf, -inf, nan};
  for (const Row& row : table()) {
    if (row.shapes.size() != 1 || !(row.shapes[0] == Shape{3, 17})) continue;
    for (double edge : edges) {
      INFO(row.name << " at " << edge);
      const real x = static_cast<real>(edge);
      const double y = static_cast<double>(row.op({Tensor({1}, {x})}).item());
      // silu(−∞) is −∞·0: NaN by the formula, as in the reference.
      const double expected = static_cast<double>(static_cast<real>(row.reference({Exact(Tensor({1}, {x}))}).v[0]));
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

TEST_CASE("axes of length 0 and 1", "[ops]") {
  const Var none = Tensor({0, 3});
  CHECK((none + none).shape() == Shape{0, 3});
  CHECK(exp(none).size() == 0);
  CHECK(sum(none).item() == 0);
  CHECK(sum(none, {0}).value().to_vector() == std::vector<real>{0, 0, 0});
  CHECK(matmul(none, Tensor::full({3, 2}, 1)).shape() == Shape{0, 2});
  CHECK(matmul(Tensor({2, 0}), none).value().to_vector() == std::vector<real>(6, 0));
  CHECK(concat({none, none}, 0).shape() == Shape{0, 3});
  CHECK(conv2d(Tensor({0, 2, 4, 4}), Tensor::full({3, 2, 3, 3}, 1)).shape() == Shape{0, 3, 2, 2});
  CHECK(conv2d(Tensor({1, 0, 4, 4}), Tensor({3, 0, 3, 3})).value().to_vector() == std::vector<real>(12, 0));
  CHECK(group_norm(Tensor({0, 4, 2, 2}), Tensor::full({4}, 1), Tensor::full({4}, 0), 2).size() == 0);
  const Var one = Tensor::full({1, 1}, 3);
  CHECK(matmul(one, one).item() == 9);
  CHECK((one * Tensor::full({2, 3}, 2)).shape() == Shape{2, 3});
  CHECK(gather(one, IntTensor({2}, {0, 0})).shape() == Shape{2, 1});
  CHECK(max(none, {0}).value().to_vector() == std::vector<real>(3, -std::numeric_limits<real>::infinity()));
  CHECK(max(one).item() == 3);
  CHECK(softmax(one, 0).item() == 1);
  CHECK(flip(none, 0).size() == 0);
  CHECK(softmax(Tensor({2, 0}), 0).size() == 0);
}

TEST_CASE("overflow has no place in softmax, logsumexp and their like", "[ops]") {
  const real inf = std::numeric_limits<real>::infinity();
  const Var big = Tensor({3}, {300, -300, 300});
  CHECK(static_cast<double>(logsumexp(big).item()) == Approx(300 + std::log(2)));
  CHECK(softmax(big, 0).value().to_vector() == std::vector<real>{0.5, 0, 0.5});
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

TEST_CASE("the fused group norm is its formula", "[ops]") {
  for (bool with_silu : {false, true}) {
    Vars x{parameter(normal(Key{1}, {3, 16, 5, 7})), parameter(normal(Key{2}, {16})), parameter(normal(Key{3}, {16}))};
    const Var fused = group_norm(x[0], x[1], x[2], 8, 1e-5, with_silu);
    const Var formula = group_norm_formula(x[0], x[1], x[2], 8, 1e-5, with_silu);
    check_close(fused.value(), Exact(formula.value()), 70);
    const Var g = normal(Key{4}, fused.shape());
    const Vars a = vjp(fused, g, x), b = vjp(formula, g, x);
    for (int i = 0; i < 3; ++i) check_close(a[i].value(), Exact(b[i].value()), 105);
  }
}
