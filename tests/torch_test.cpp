// Agreement with a system no one here wrote. tests/fixtures/torch_agreement.py asked PyTorch, in double, for
// every case below, an op or a composite f of inputs x, with fixed directions v and u,
//   order 0  y = f(x),    order 1  g = ∂⟨v, y⟩/∂x,    order 2  h = (∂²⟨v, y + y²/2⟩/∂x²) u
// g is taken without a graph, hence by the fused rules, and h through one. A difference counts relative to
// the largest magnitude of its array, at least 1. Of a network's g and h norms and projections are compared.
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "autograd/gradcheck.h"
#include "autograd/transforms.h"
#include "nn/checkpoint.h"
#include "nn/unet.h"
#include "tests/catch.h"
#include "tests/rounding.h"

using namespace dale;

namespace {

using Numbers = std::vector<double>;
using Three = std::array<double, 3>;  // by order
using Table = std::map<std::string, Function>;

// The largest difference allowed. In double: one that only a right rule meets. In float an op's is so many ε:
// the longest sum here has 28 terms, whose roundings, ε/2 each at most, add like steps of a walk to √28 ε/2,
// and three times that are 8 ε; each order passes through the op once more.
constexpr double double_bound = 1e-9, epsilon = 0x1p-23;
constexpr Three case_multiple{8, 16, 32};

// A network in float may be k times as far off as PyTorch's float was, and 8 √K ε in any case, K terms in its
// longest sum. An error is the sum of many roundings, hence normal. A layer's is at most `rougher` times
// (rounding.h) that of plain sums, as oneDNN's are, and so is a network's, whatever its depth, because errors
// of independent layers add in squares. PyTorch was asked in W ways; an error z that is drawn as theirs are
// exceeds c times their largest with probability
//
//   P(|z| > c max |z_w|) = E P(|z_w| < |z|/c)^W < E (√(2/π) |z|/c)^W = (√(2/π)/c)^W · 1·3·…·(W − 1)    W even
//
// and k = rougher · c with the c at which this is 1/1000 for any of the n numbers compared. (PyTorch's matrix
// products round half as far as plain sums; `rougher` makes up for it, the worst layer's standing for all.)
double multiple(double rougher, int W, double n) {
  double odd = 1000 * n;
  for (int i = 1; i < W; i += 2) odd *= i;
  return rougher * std::sqrt(2 / std::acos(-1)) * std::pow(odd, 1.0 / W);
}

// ---- The table
// clang-format off
#define OF(...) [=](const Vars& x) -> Var { return __VA_ARGS__; }
#define ONE(op) {#op, OF(op(x[0]))}
#define TWO(name, op) {name, OF(op(x[0], x[1]))}, {name " broadcast", OF(op(x[0], x[1]))}
#define THREE(op) {#op, OF(op(x[0], x[1], x[2]))}
#define CHOSEN(compare) {#compare, OF(compare(x[0], x[1]) * x[0] * x[1])}  // itself constant
#define OVER(op) \
  {#op, OF(op(x[0]))}, {#op " of axes", OF(op(x[0], {0, -1}))}, {#op " kept", OF(op(x[0], {1}, true))}
#define POOL(op) {#op, OF(op(x[0], 2, 2))}, {#op " padded", OF(op(x[0], 3, 2, 1))}
#define GROW(op) {#op " 2", OF(op(x[0], 2))}, {#op " 3", OF(op(x[0], 3))}

Table elementwise() {
  return {ONE(exp), ONE(expm1), ONE(log), ONE(log1p), ONE(sqrt), ONE(rsqrt), ONE(square), ONE(reciprocal),
          ONE(sin), ONE(cos), ONE(tanh), ONE(erf), ONE(sigmoid), ONE(softplus), ONE(silu), ONE(relu),
          ONE(gelu), ONE(abs), ONE(elu), {"elu 1.3", OF(elu(x[0], 1.3))}, {"negate", OF(-x[0])},
          TWO("add", operator+), TWO("subtract", operator-), TWO("multiply", operator*),
          TWO("divide", operator/), TWO("maximum", maximum), TWO("minimum", minimum), TWO("power", power),
          CHOSEN(greater), CHOSEN(greater_equal), CHOSEN(less), CHOSEN(less_equal), CHOSEN(equal),
          CHOSEN(not_equal), {"clamp", OF(clamp(x[0], -0.7, 1.1))}, {"power 2.5", OF(power(x[0], 2.5))},
          {"power 3 of either sign", OF(power(x[0], 3))}, {"detach", OF(x[0] * (x[0] * x[0]).detach())},
          {"power 2 of zeros, too", OF(power(x[0], 2))}, {"masked", OF(masked(x[0], greater(x[1], x[0])))},
          {"numbers on both sides", OF(0.7 * (0.5 + (2 - 3 / (((x[0] + 3) / 2 - 0.25) * 1.5))))},
          {"where", OF(where(greater(x[0], x[1]), x[1] * x[2], x[2]))}};
}

Table shapes_and_reductions() {
  const IntTensor rows({4}, {2, 0, 2, 1});
  return {{"reshape", OF(reshape(x[0], {6, -1}))}, {"permute", OF(permute(x[0], {2, 0, 1}))},
          {"slice", OF(slice(x[0], 1, 1, 3))}, {"slice with step", OF(slice(x[0], -1, 1, 6, 2))},
          {"place", OF(place(x[0], 1, 1, 2, 8))}, {"pad", OF(pad(x[0], 1, 1, 2))},
          {"flip", OF(flip(x[0], 1))}, {"concat", OF(concat(x, 1))}, {"stack", OF(stack(x, 1))},
          {"broadcast_to", OF(broadcast_to(x[0], {2, 3, 4}))}, {"sum_to", OF(sum_to(x[0], {3, 1}))},
          {"split", OF(concat({split(x[0], {2, 3}, 1)[1], split(x[0], {2, 3}, 1)[0]}, 1) * x[0])},
          {"gather", OF(gather(x[0], rows))}, {"scatter_add", OF(scatter_add(x[0], rows, 5))},
          {"embedding", OF(embedding(x[0], rows.reshape({2, 2})))},
          {"one_hot of argmax", OF(one_hot(argmax(x[0], 1), 5) * x[0])},
          OVER(sum), OVER(mean), OVER(max), OVER(min), OVER(logsumexp), OVER(norm),
          {"variance", OF(variance(x[0]))}, {"variance of axes, kept", OF(variance(x[0], {0, 2}, true, 1))}};
}

Table products() {
  Table t{TWO("matmul", matmul), {"matmul batched", OF(matmul(x[0], x[1]))},
          {"matmul ta", OF(matmul(x[0], x[1], true))}, {"matmul tb", OF(matmul(x[0], x[1], false, true))},
          {"matmul ta tb", OF(matmul(x[0], x[1], true, true))},
          {"matmul batched ta tb", OF(matmul(x[0], x[1], true, true))}};
  const auto triad = [&](const std::string& name, const Shape& image, const Shape& kernel, const Window& k) {
    t["conv2d " + name] = OF(conv2d(x[0], x[1], k));
    t["conv2d_input " + name] = OF(conv2d_input(x[0], x[1], image, k));
    t["conv2d_weight " + name] = OF(conv2d_weight(x[0], x[1], kernel, k));
  };
  triad("plain", {2, 2, 4, 5}, {3, 2, 3, 3}, {});
  triad("padding", {1, 2, 3, 4}, {2, 2, 3, 3}, {{1, 1}, {1, 1}, {1, 1}});
  triad("stride", {2, 2, 5, 6}, {2, 2, 3, 3}, {{2, 2}, {1, 1}, {1, 1}});
  triad("dilation", {1, 2, 6, 5}, {2, 2, 3, 3}, {{1, 1}, {2, 2}, {2, 2}});
  triad("rectangular", {2, 2, 4, 7}, {2, 2, 2, 3}, {{2, 1}, {0, 2}, {1, 2}});
  return t;
}

Var linear(const Var& x, const Var& w, const Var& b) { return matmul(x, w, false, true) + b; }

/// x (T,N,4) and what its T words, normalised, attend to with two heads; w (12,4), b (12), then (4,4), (4).
Var attention_block(const Vars& x) {
  const Index T = x[0].dim(0), N = x[0].dim(1);
  Vars qkv = split(linear(layer_norm(x[0], x[1], x[2]), x[3], x[4]), {4, 4, 4}, -1);
  for (Var& part : qkv) part = permute(reshape(part, {T, N, 2, 2}), {1, 2, 0, 3});  // (N,heads,T,d)
  const Var y = reshape(permute(attention(qkv[0], qkv[1], qkv[2]), {2, 0, 1, 3}), {T, N, 4});
  return x[0] + linear(y, x[5], x[6]);
}

Table composites() {
  const IntTensor labels({4}, {2, 0, 2, 1});
  const real no = -HUGE_VAL;
  const Tensor causal({4, 4}, {0, no, no, no, 0, 0, no, no, 0, 0, 0, no, 0, 0, 0, 0});
  return {POOL(max_pool), POOL(average_pool), GROW(upsample_nearest), GROW(upsample_bilinear),
          {"softmax", OF(softmax(x[0], 1))}, {"mean_squared_error", OF(mean_squared_error(x[0], x[1]))},
          {"log_softmax", OF(log_softmax(x[0], -1))}, {"cross_entropy", OF(cross_entropy(x[0], labels))},
          {"attention masked", OF(attention(x[0], x[1], x[2], causal))}, THREE(layer_norm), THREE(attention),
          {"group_norm", OF(group_norm(x[0], x[1], x[2], 2))}, {"attention block", attention_block},
          {"group_norm silu", OF(group_norm(x[0], x[1], x[2], 2, 1e-3, true))}, THREE(instance_norm),
          {"group_norm_formula", OF(group_norm_formula(x[0], x[1], x[2], 2, 1e-5, false))},
          {"group_norm_formula silu", OF(group_norm_formula(x[0], x[1], x[2], 2, 1e-3, true))},
          {"classifier", OF(cross_entropy(linear(gelu(linear(x[0], x[1], x[2])), x[3], x[4]), labels))}};
}

// clang-format on

// ---- The comparison
/// scale cos(frequency i + phase) + offset at element i.
Tensor wave(const Shape& shape, double frequency, double phase, double scale = 1, double offset = 0) {
  std::vector<real> v;
  for (Index i = 0; i < element_count(shape); ++i)
    v.push_back(static_cast<real>(scale * std::cos(frequency * static_cast<double>(i) + phase) + offset));
  return Tensor(shape, v);
}

/// The weights of formula_weights in torch_agreement.py.
Vars set_by_formula(const std::vector<NamedParameter>& parameters) {
  Vars all;
  for (const auto& [name, p] : parameters) {
    const double fan_in = p->rank() > 1 ? static_cast<double>(p->size() / p->dim(0)) : 8;
    const bool one = name.find("norm") != std::string::npos && name.ends_with("weight");
    p->leaf_value() = wave(p->shape(), 0.7, static_cast<double>(all.size()), 1 / std::sqrt(fan_in), one);
    all.push_back(*p);
  }
  return all;
}

Numbers elements(const Var& x) {
  const std::vector<real> v = x.value().to_vector();
  return {v.begin(), v.end()};
}

/// The norm, and the projections on three directions.
Numbers summary(const Var& x) {
  const Numbers v = elements(x);
  const auto inner = [&](const Numbers& w) { return std::inner_product(v.begin(), v.end(), w.begin(), 0.0); };
  Numbers out{std::sqrt(inner(v))};
  for (double j : {1, 2, 3}) out.push_back(inner(elements(wave(x.shape(), j + 0.37, 0.3 * j))));
  return out;
}

/// What PyTorch found, and the worst difference from it by order.
struct Agreement {
  Numbers (*const seen)(const Var&);  // of g and h
  double k = 0, longest = 0;          // of a network, as above
  const NamedTensors torch = read_safetensors("tests/fixtures/torch_agreement.safetensors");
  Three worst{}, share{};  // share: of what is allowed

  double allowed(const std::string& key, int order) const {
    if (sizeof(real) == sizeof(double)) return double_bound;
    if (longest == 0) return case_multiple[order] * epsilon;
    return std::max(k * elements(torch.at(key + " in float"))[0], 8 * std::sqrt(longest) * epsilon);
  }
  void compare(const std::string& key, int order, const Numbers& actual) {
    INFO(key);
    const Numbers expected = elements(torch.at(key));
    REQUIRE(actual.size() == expected.size());
    double difference = 0, largest = 1;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const double d = std::abs(actual[i] - expected[i]);
      difference = std::max(difference, std::isnan(d) ? HUGE_VAL : d);
      largest = std::max(largest, std::abs(expected[i]));
    }
    difference /= largest;
    CHECK(difference <= allowed(key, order));
    worst[order] = std::max(worst[order], difference);
    share[order] = std::max(share[order], difference / allowed(key, order));
  }
  /// f may change its inputs to what y is to be differentiated by.
  void compare(const std::string& name, const std::function<Var(Vars&)>& f) {
    INFO(name);
    Vars x{parameter(torch.at(name + "/x0"))}, u;
    for (const auto& [key, tensor] : torch.tensors)
      if (key == fmt::format("{}/x{}", name, x.size())) x.push_back(parameter(tensor));
    const Var y = f(x), v = wave(y.shape(), 0.9, 0);
    for (const Var& each : x) u.push_back(wave(each.shape(), 0.9, 0.3 * static_cast<double>(1 + u.size())));
    const Vars g = vjp(y, v, x), h = hessian_product(sum(v * (y + 0.5 * square(y))), x, u);
    CHECK(y.shape() == torch.at(name + "/y").shape());
    compare(name + "/y", 0, elements(y));
    for (std::size_t k = 0; k < x.size(); ++k) {
      compare(fmt::format("{}/g{}", name, k), 1, seen(g[k]));
      compare(fmt::format("{}/h{}", name, k), 2, seen(h[k]));
    }
  }
  void report(std::size_t count, const char* what) const {
    fmt::print(
        "{} {} against PyTorch {}: worst difference {:.1e} of values, {:.1e} of gradients, {:.1e} of "
        "Hessian products; {:.2f}, {:.2f} and {:.2f} of what is allowed\n",
        count, what, torch.metadata.at("torch"), worst[0], worst[1], worst[2], share[0], share[1], share[2]);
  }
};

}  // namespace

TEST_CASE("every op agrees with PyTorch: values, gradients, Hessian products", "[torch]") {
  Agreement with{elements};
  std::set<std::string> here{"R1", "residual block"}, there;
  for (const Table& table : {elementwise(), shapes_and_reductions(), products(), composites()})
    for (const auto& [name, f] : table) {
      with.compare(name, f);
      here.insert(name);
    }
  with.report(here.size() - 2, "cases");
  for (const auto& [key, tensor] : with.torch.tensors) there.insert(key.substr(0, key.rfind('/')));
  CHECK(here == there);
}

TEST_CASE("networks agree with PyTorch", "[torch]") {
  Agreement with{summary};
  double n = 0;  // each row's four
  for (const auto& [key, tensor] : with.torch.tensors) n += key.ends_with(" in float") ? 4 : 0;
  const auto compare = [&](const std::string& name, auto net, std::size_t inputs, double rougher,
                           double longest) {
    with.k = multiple(rougher, std::stoi(with.torch.metadata.at("ways")), n);
    with.longest = longest;
    with.compare(name, [&](Vars& x) {
      const Vars weights = set_by_formula(parameters(net));
      const Var y = net(x[0], x[1]);
      x.resize(inputs);
      x.insert(x.end(), weights.begin(), weights.end());
      return y;
    });
  };
  // By its image and its time's embedding; longest are the second convolution's sums.
  compare("residual block", ResidualBlock(8, 16, 6, Key{1}), 2, rougher_short_sums, 16 * 9);
  // By its image alone; longest are the gradients of taps at full size.
  compare("R1", ScoreUNet({}, Key{1}), 1, rougher_long_sums, 2 * 28 * 28);
  with.report(2, "networks");
}
