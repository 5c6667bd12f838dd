// Agreement with a system no one here wrote. tests/fixtures/torch_agreement.py asked PyTorch, in double, for
// every row of the table of ops, a function f of inputs x, with fixed directions v and u,
//   order 0  y = f(x),    order 1  g = ∂⟨v, y⟩/∂x,    order 2  h = (∂²⟨v, y + y²/2⟩/∂x²) u
// g is taken without a graph, hence by the fused rules, and h through one. A difference counts relative to
// the largest magnitude of its array, at least 1. Of a network's g and h norms and projections are compared.
// And the other way round: what dale makes of states is written for PyTorch to do the same.
#include <cstdlib>
#include <numeric>
#include <set>

#include "autograd/transforms.h"
#include "experiments/run/model.h"
#include "nn/checkpoint.h"
#include "nn/unet.h"
#include "tests/compare.h"
#include "tests/machines.h"
#include "tests/op_table.h"

using namespace dale;

namespace {

using Three = std::array<double, 3>;  // by order

// The largest difference allowed. In double: one that only a right rule meets. In float an op's is so many ε:
// the longest sum here has 28 terms, whose roundings, ε/2 each at most, add like steps of a walk to √28 ε/2,
// and three times that are 8 ε; each order passes through the op once more.
constexpr double double_bound = 1e-9, epsilon = 0x1p-23;
constexpr Three case_multiple{8, 16, 32};

// A network in float may be k times as far off as PyTorch's float was, and 8 √K ε in any case, K terms in its
// longest sum. An error is the sum of many roundings, hence normal. A layer's is at most `rougher` times
// (compare.h) that of plain sums, as oneDNN's are, and so is a network's, whatever its depth, because errors
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

/// The norm, and the projections on three directions.
Numbers summary(const Var& x) {
  const Numbers v = numbers(x);
  const auto inner = [&](const Numbers& w) { return std::inner_product(v.begin(), v.end(), w.begin(), 0.0); };
  Numbers out{std::sqrt(inner(v))};
  for (double j : {1, 2, 3}) out.push_back(inner(numbers(wave(x.shape(), j + 0.37, 0.3 * j))));
  return out;
}

/// The same elements, under reversed strides if asked.
Tensor laid(const Tensor& x, bool strided) {
  Axes reversed;
  for (int i = x.rank(); strided && i-- > 0;) reversed.push_back(i);
  return strided ? x.permute(reversed).clone().permute(reversed) : x;
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
    return std::max(k * numbers(torch.at(key + " in float"))[0], 8 * std::sqrt(longest) * epsilon);
  }
  double compare(const std::string& key, int order, const Numbers& actual) {
    INFO(key);
    const Numbers expected = numbers(torch.at(key));
    const double difference = gap(actual, expected) / largest(expected, 1),
                 part = difference / allowed(key, order);
    CHECK(part <= 1);
    worst[order] = larger(worst[order], difference);
    share[order] = larger(share[order], part);
    return part;
  }
  /// The largest share of one case, whose f may change its inputs to what y is to be differentiated by.
  double compare(const std::string& name, Vars x, const std::function<Var(Vars&)>& f) {
    const Var y = f(x), v = wave(y.shape(), 0.9, 0).to(y.device());
    Vars u;
    for (const Var& each : x)
      u.push_back(wave(each.shape(), 0.9, 0.3 * static_cast<double>(1 + u.size())).to(y.device()));
    const Vars g = vjp(y, v, x), h = hessian_product(sum(v * (y + 0.5 * square(y))), x, u);
    CHECK(y.shape() == torch.at(name + "/y").shape());
    double most = compare(name + "/y", 0, numbers(y));
    for (std::size_t k = 0; k < x.size(); ++k) {
      CHECK((g[k].shape() == x[k].shape() && h[k].shape() == x[k].shape()));
      most = larger(most, compare(fmt::format("{}/g{}", name, k), 1, seen(g[k])));
      most = larger(most, compare(fmt::format("{}/h{}", name, k), 2, seen(h[k])));
    }
    return most;
  }
  Vars inputs(const std::string& name, Device device = Device::cpu, bool strided = false) const {
    Vars x;
    for (const auto& [key, tensor] : torch.tensors)
      if (key == fmt::format("{}/x{}", name, x.size()))
        x.push_back(parameter(laid(tensor.to(device), strided)));
    return x;
  }
  void report(const std::string& what) const {
    fmt::print(
        "{} against PyTorch {}: worst difference {:.1e} of values, {:.1e} of gradients, {:.1e} of Hessian "
        "products; {:.2f}, {:.2f} and {:.2f} of what is allowed\n",
        what, torch.metadata.at("torch"), worst[0], worst[1], worst[2], share[0], share[1], share[2]);
  }
};

}  // namespace

TEST_CASE("every op agrees with PyTorch on every machine, however its inputs lie, and leaves no node behind",
          "[ops][torch][machines]") {
  const std::vector<Device> columns = machines();
  std::vector<Agreement> with(columns.size(), Agreement{numbers});
  std::set<std::string> here{"R1", "residual block"}, there;
  std::string table = fmt::format("{:<28}", "op");
  for (Device device : columns) table += fmt::format("{:>10}", column(device));
  table += "   largest error, of what is allowed\n";
  for (const auto& [name, f] : op_table()) {
    here.insert(name);
    table += fmt::format("{:<28}", name);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      double most = 0;
      for (bool strided : {false, true}) {
        INFO(name << " on " << column(columns[i]) << (strided ? ", strided" : ""));
        const Index before = live_nodes();
        most = larger(most, with[i].compare(name, with[i].inputs(name, columns[i], strided), f));
        CHECK(live_nodes() == before);
      }
      table += fmt::format("{:>10.3f}", most);
    }
    table += '\n';
  }
  if (columns.size() > 1) fmt::print("{}", table);
  for (std::size_t i = 0; i < columns.size(); ++i)
    with[i].report(fmt::format("op table: {} rows on {}", here.size() - 2, column(columns[i])));
  for (const auto& [key, tensor] : with[0].torch.tensors) there.insert(key.substr(0, key.rfind('/')));
  CHECK(here == there);
}

#ifdef DALE_DOUBLE
TEST_CASE("every op: gradients of order 1 and 2 against finite differences", "[ops]") {
  const std::set<std::string> tied{"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"};
  const Agreement torch{numbers};
  Three worst{};
  Table table = op_table();
  table.erase("detach");  // whose gradient is on purpose not that of its values
  for (const auto& [name, f] : table) {
    std::vector<Tensor> x;
    for (const Var& v : torch.inputs(name)) x.push_back(v.value());
    if (tied.contains(name)) x[0] = (Var(x[0]) + 0.25).value();  // whole numbers: a kink
    for (int order : {1, 2}) {
      INFO(name << ", order " << order);
      const double error = gradient_error(f, x, order, Key{23});
      CHECK(error < 1e-6);
      worst[order] = larger(worst[order], error);
    }
  }
  fmt::print(
      "op table: {} rows against finite differences, worst relative error {:.1e} at order 1, {:.1e} at order "
      "2\n",
      table.size(), worst[1], worst[2]);
}
#endif

TEST_CASE("networks agree with PyTorch", "[torch]") {
  Agreement with{summary};
  double n = 0;  // each row's four
  for (const auto& [key, tensor] : with.torch.tensors) n += key.ends_with(" in float") ? 4 : 0;
  const auto compare = [&](const std::string& name, auto net, std::size_t inputs, double rougher,
                           double longest) {
    with.k = multiple(rougher, std::stoi(with.torch.metadata.at("ways")), n);
    with.longest = longest;
    with.compare(name, with.inputs(name), [&](Vars& x) {
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
  with.report("2 networks");
}

TEST_CASE("states and what dale makes of them are written for PyTorch to do the same", "[peer]") {
  // For examples/torch_model.py, of two models that come with dale: states y (N,1,28,28), levels s (N), and
  // D(y; s) without labels. Where PyTorch is at hand tests/run.sh names a folder for them, and asks.
  for (const std::string name : {"gbm-fashion-mnist", "gbm-classes-fashion-mnist"}) {
    const Model model = load_model("experiments/pretrained/" + name + ".safetensors");
    const Denoiser D = model.denoiser();
    Vars states, denoised;
    std::vector<real> levels;
    for (std::uint64_t i = 0; i < 8; ++i) {
      // 3^{−i} times the 40 σ_d where samplers begin, as float has it, whose file PyTorch reads
      const real s = static_cast<float>(40 * model.edm.deviation * std::pow(3.0, -static_cast<double>(i)));
      const double spread = std::hypot(s, model.edm.deviation);
      levels.push_back(s);
      states.push_back(model.edm.mean + spread * Var(normal(Key{1}.split(i), {1, 1, 28, 28})));
      denoised.push_back(D(states.back(), static_cast<double>(s)));
    }
    const Tensor y = concat(states, 0).value(), Dy = concat(denoised, 0).value();
    CHECK((y.shape() == Shape{8, 1, 28, 28} && Dy.shape() == y.shape() && all_finite(Dy)));
    if (const char* folder = std::getenv("DALE_TORCH_CHECKS"))
      write_safetensors(std::filesystem::path(folder) / (name + ".safetensors"),
                        {{{"y", y}, {"s", Tensor({8}, levels)}, {"D", Dy}}, {}});
  }
}
