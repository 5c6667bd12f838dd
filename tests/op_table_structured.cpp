// The structured half of the table: products, convolutions, and what is composed of them.
#include <algorithm>
#include <cmath>

#include "tests/op_table.h"

namespace dale {
namespace {

Exact matmul_reference(Exact a, Exact b, bool ta, bool tb) {
  const Index M = a.shape[ta], K = a.shape[!ta], N = b.shape[!tb];
  Exact y({M, N});
  for (Index m = 0; m < M; ++m)
    for (Index n = 0; n < N; ++n)
      for (Index k = 0; k < K; ++k)
        y.at({m, n}) += (ta ? a.at({k, m}) : a.at({m, k})) * (tb ? b.at({n, k}) : b.at({k, n}));
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
      f(((at[0] * x[1] + tap[0]) * x[2] + h) * x[3] + v,
        ((at[1] * w[1] + tap[0]) * w[2] + tap[1]) * w[3] + tap[2],
        ((at[0] * y[1] + at[1]) * y[2] + at[2]) * y[3] + at[3]);
    });
  });
}

/// The derivative of T that leaves out argument `open`: 0 x, 1 w, 2 y.
Exact conv_reference(const Exacts& in, int open, const Shape& x, const Shape& w, const Shape& y,
                     const Window& k) {
  Exact out(open == 0 ? x : open == 1 ? w : y);
  trilinear(x, w, y, k, [&](Index ix, Index iw, Index iy) {
    if (open == 0) out.v[ix] += in[0].v[iy] * in[1].v[iw];
    if (open == 1) out.v[iw] += in[0].v[ix] * in[1].v[iy];
    if (open == 2) out.v[iy] += in[0].v[ix] * in[1].v[iw];
  });
  return out;
}

Exact group_norm_reference(Exacts in, Index groups, bool with_silu) {
  const Index N = in[0].shape[0], C = in[0].shape[1], L = static_cast<Index>(in[0].v.size()) / (N * C),
              M = C / groups * L;
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

}  // namespace

void add_composites(std::vector<Row>& t) {
  t.push_back({"upsample_nearest",
               {{2, 1, 2, 3}},
               [](const Vars& x) { return upsample_nearest(x[0], 2); },
               [](Exacts in) {
                 Exact y({2, 1, 4, 6});
                 Exact::each(y.shape, [&](const auto& i) {
                   y.at({i[0], i[1], i[2], i[3]}) = in[0].at({i[0], i[1], i[2] / 2, i[3] / 2});
                 });
                 return y;
               }});
  t.push_back({"upsample_bilinear",
               {{2, 1, 3, 2}},
               [](const Vars& x) { return upsample_bilinear(x[0], 2); },
               [](Exacts in) {
                 Exact y({2, 1, 6, 4});
                 Exact::each(y.shape, [&](const auto& i) {
                   const auto at = [](Index k, Index n) {
                     return std::clamp((static_cast<double>(k) + 0.5) / 2 - 0.5, 0.0,
                                       static_cast<double>(n - 1));
                   };
                   const double h = at(i[2], 3), w = at(i[3], 2);
                   Exact::each({3, 2}, [&](const auto& p) {
                     const double weight = std::max(0.0, 1 - std::abs(h - static_cast<double>(p[0]))) *
                                           std::max(0.0, 1 - std::abs(w - static_cast<double>(p[1])));
                     y.at({i[0], i[1], i[2], i[3]}) += weight * in[0].at({i[0], i[1], p[0], p[1]});
                   });
                 });
                 return y;
               },
               -2,
               2,
               4});
  for (bool largest : {false, true})
    t.push_back({largest ? "max_pool" : "average_pool",
                 {{2, 2, 5, 6}},
                 [=](const Vars& x) {
                   return largest ? max_pool(x[0], 3, 2, 1) : average_pool(x[0], 3, 2, 1);
                 },
                 [=](Exacts in) {
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
                 },
                 -2,
                 2,
                 9});
  t.push_back({"layer_norm",
               {{4, 6}, {6}, {6}},
               [](const Vars& x) { return layer_norm(x[0], x[1], x[2]); },
               [](Exacts in) {
                 // Each row is one group over all of a (1,6) image, with gamma and beta a column each.
                 for (Index n = 0; n < 4; ++n) {
                   double mean = 0, variance = 0;
                   for (Index c = 0; c < 6; ++c) mean += in[0].at({n, c}) / 6;
                   for (Index c = 0; c < 6; ++c) variance += std::pow(in[0].at({n, c}) - mean, 2) / 6;
                   for (Index c = 0; c < 6; ++c)
                     in[0].at({n, c}) =
                         (in[0].at({n, c}) - mean) / std::sqrt(variance + 1e-5) * in[1].v[c] + in[2].v[c];
                 }
                 return in[0];
               },
               -2,
               2,
               6});
  t.push_back({"instance_norm",
               {{2, 3, 4, 2}, {3}, {3}},
               [](const Vars& x) { return instance_norm(x[0], x[1], x[2]); },
               [](Exacts in) { return group_norm_reference(in, 3, false); },
               -2,
               2,
               8});
  for (bool with_silu : {false, true}) {
    const char* name = with_silu ? "group_norm, silu" : "group_norm";
    t.push_back({name,
                 {{2, 6, 3, 5}, {6}, {6}},
                 [=](const Vars& x) { return group_norm(x[0], x[1], x[2], 3, 1e-5, with_silu); },
                 [=](Exacts in) { return group_norm_reference(in, 3, with_silu); },
                 -2,
                 2,
                 30});
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
  t.push_back({"matmul batched",
               {{3, 2, 4}, {3, 4, 5}},
               [](const Vars& x) { return matmul(x[0], x[1]); },
               [](Exacts in) {
                 Exact y({3, 2, 5});
                 Exact::each({3, 2, 5, 4}, [&](const auto& i) {
                   y.at({i[0], i[1], i[2]}) += in[0].at({i[0], i[1], i[3]}) * in[1].at({i[0], i[3], i[2]});
                 });
                 return y;
               },
               -2,
               2,
               4});

  t.push_back({"matmul broadcast",
               {{2, 1, 2, 4}, {3, 4, 5}},
               [](const Vars& x) { return matmul(x[0], x[1]); },
               [](Exacts in) {
                 Exact y({2, 3, 2, 5});
                 Exact::each({2, 3, 2, 5, 4}, [&](const auto& i) {
                   y.at({i[0], i[1], i[2], i[3]}) +=
                       in[0].at({i[0], 0, i[2], i[4]}) * in[1].at({i[1], i[4], i[3]});
                 });
                 return y;
               },
               -2,
               2,
               4});
  t.push_back({"attention",
               {{2, 3, 4}, {2, 5, 4}, {2, 5, 6}},
               [](const Vars& x) { return attention(x[0], x[1], x[2]); },
               [](Exacts in) {
                 Exact y({2, 3, 6});
                 Exact::each({2, 3}, [&](const auto& i) {
                   double weight[5], total = 0;
                   for (Index s = 0; s < 5; ++s) {
                     double score = 0;
                     for (Index d = 0; d < 4; ++d)
                       score += in[0].at({i[0], i[1], d}) * in[1].at({i[0], s, d}) / 2;
                     total += weight[s] = std::exp(score);
                   }
                   for (Index s = 0; s < 5; ++s)
                     for (Index e = 0; e < 6; ++e)
                       y.at({i[0], i[1], e}) += weight[s] / total * in[2].at({i[0], s, e});
                 });
                 return y;
               },
               -2,
               2,
               20});

  struct Case {
    const char* name;
    Shape x, w;
    Window k;
  };
  const Case cases[] = {{"plain", {2, 3, 6, 5}, {4, 3, 3, 3}, {{1, 1}, {1, 1}, {1, 1}}},
                        {"Winograd", {2, 9, 7, 6}, {17, 9, 3, 3}, {{1, 1}, {1, 1}, {1, 1}}},
                        {"Winograd, uneven padding", {1, 8, 9, 5}, {8, 8, 3, 3}, {{1, 1}, {0, 2}, {1, 1}}},
                        {"stride 2", {2, 2, 7, 8}, {3, 2, 3, 3}, {{2, 2}, {1, 1}, {1, 1}}},
                        {"dilation 2", {1, 2, 9, 8}, {2, 2, 3, 3}, {{1, 1}, {2, 2}, {2, 2}}},
                        {"rectangular", {2, 2, 5, 9}, {2, 2, 2, 4}, {{2, 1}, {0, 2}, {1, 2}}},
                        {"pointwise", {2, 5, 4, 3}, {3, 5, 1, 1}, {}},
                        {"wide padding", {1, 1, 2, 2}, {1, 1, 2, 2}, {{3, 3}, {3, 3}, {1, 1}}}};
  for (const Case& c : cases) {
    Shape y{c.x[0], c.w[0]};
    for (int i = 0; i < 2; ++i)
      y.push_back((c.x[2 + i] + 2 * c.k.padding[i] - c.k.dilation[i] * (c.w[2 + i] - 1) - 1) / c.k.stride[i] +
                  1);
    const Shape x = c.x, w = c.w;
    const Window k = c.k;
    const double taps = static_cast<double>(w[1] * w[2] * w[3]),
                 pixels = static_cast<double>(y[0] * y[2] * y[3]);
    t.push_back({fmt::format("conv2d {}", c.name),
                 {x, w},
                 [=](const Vars& v) { return conv2d(v[0], v[1], k); },
                 [=](Exacts in) { return conv_reference(in, 2, x, w, y, k); },
                 -2,
                 2,
                 taps});
    for (const Shape& shift : {Shape{w[0]}, Shape{x[0], w[0]}})
      t.push_back({fmt::format("conv2d plus shift {} and residual, {}", str(shift), c.name),
                   {x, w, shift, y},
                   [=](const Vars& v) { return conv2d(v[0], v[1], v[2], v[3], k); },
                   [=](Exacts in) {
                     Exact sum = conv_reference(in, 2, x, w, y, k);
                     Exact::each(y, [&](const auto& i) {
                       const Index s = shift.rank() == 1 ? i[1] : i[0] * w[0] + i[1];
                       sum.at({i[0], i[1], i[2], i[3]}) +=
                           in[2].v[static_cast<std::size_t>(s)] + in[3].at({i[0], i[1], i[2], i[3]});
                     });
                     return sum;
                   },
                   -2,
                   2,
                   taps});
    t.push_back({fmt::format("conv2d_input {}", c.name),
                 {y, w},
                 [=](const Vars& v) { return conv2d_input(v[0], v[1], x, k); },
                 [=](Exacts in) { return conv_reference(in, 0, x, w, y, k); },
                 -2,
                 2,
                 taps * static_cast<double>(w[0])});
    t.push_back({fmt::format("conv2d_weight {}", c.name),
                 {x, y},
                 [=](const Vars& v) { return conv2d_weight(v[0], v[1], w, k); },
                 [=](Exacts in) { return conv_reference(in, 1, x, w, y, k); },
                 -2,
                 2,
                 pixels});
  }
}

}  // namespace dale
