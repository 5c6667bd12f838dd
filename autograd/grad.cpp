// Reverse accumulation. Nodes are numbered in the order of their making, which is a topological order: walking the
// nodes that y depends on from the highest number down meets every node after all that use it. Both the walk and the
// release of a graph are loops, not recursions, so a chain may be as long as memory lasts.
#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "autograd/ops.h"
#include "autograd/var.h"

namespace dale {
namespace {

thread_local bool is_recording = true;
thread_local bool is_checking = false;
std::atomic<std::uint64_t> nodes_made{0};
std::atomic<Index> nodes_alive{0};

/// Sets whether ops record, while it lives.
struct Recording {
  explicit Recording(bool on) : before(is_recording) { is_recording = on; }
  ~Recording() { is_recording = before; }
  bool before;
};

std::string shapes_of(const Vars& inputs) {
  std::string text;
  for (const Var& x : inputs) text += (text.empty() ? "" : ", ") + str(x.shape());
  return text;
}

/// Nodes between y and the xs, y first: those reachable from y from which some x is reachable.
std::vector<Node*> nodes_between(const Var& y, const std::unordered_map<Node*, std::size_t>& xs) {
  std::uint64_t oldest = ~std::uint64_t{0};
  for (const auto& [node, i] : xs) oldest = std::min(oldest, node->order);
  std::vector<Node*> found{y.node().get()}, stack = found;
  std::unordered_set<Node*> seen(found.begin(), found.end());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const Var& x : node->inputs)
      if (x.tracked() && x.node()->order >= oldest && seen.insert(x.node().get()).second) {
        found.push_back(x.node().get());
        stack.push_back(x.node().get());
      }
  }
  std::sort(found.begin(), found.end(), [](Node* a, Node* b) { return a->order > b->order; });
  std::unordered_set<Node*> needed;
  for (auto node = found.rbegin(); node != found.rend(); ++node) {
    const bool leads_to_x = std::any_of((*node)->inputs.begin(), (*node)->inputs.end(),
                                        [&](const Var& x) { return needed.count(x.node().get()) > 0; });
    if (xs.count(*node) || leads_to_x) needed.insert(*node);
  }
  std::erase_if(found, [&](Node* node) { return !needed.count(node); });
  return found;
}

/// total ← total + g. A sum that nobody else can see is added to in place.
void accumulate(Var& total, const Var& g, bool& owned) {
  if (!total.value().defined()) {
    total = g;
    owned = false;
  } else if (owned && !recording()) {
    Tensor sum = total.value();
    raw::binary_into(Binary::add, sum, g.value());
  } else {
    total = total + g;
    owned = true;
  }
}

struct Gradient {
  Var value;
  bool owned = false;  // the engine made this sum and has not handed it out
};

void check_gradient(const Node& node, const Var& g, const Var& x, std::size_t i) {
  if (!(g.shape() == x.shape()))
    broken("[{}] the rule returned a gradient of shape {} for input {} of shape {}", node.op, str(g.shape()), i,
           str(x.shape()));
  if (is_checking && !all_finite(g.value()))
    failed("[{}] the gradient of input {} is not finite; input shapes {}", node.op, i, shapes_of(node.inputs));
}

}  // namespace

Tensor& Var::leaf_value() {
  if (!node_ || !node_->inputs.empty()) broken("leaf_value() of a Var that is not a leaf");
  return value_;
}

Var parameter(Tensor value) {
  Tensor shape = value.hollow();
  return Var(std::move(value), std::make_shared<Node>("parameter", Vars{}, std::move(shape), nullptr));
}

Var record(const char* op, Tensor value, Vars inputs, unsigned keep, Rule rule) {
  if (is_checking && !all_finite(value))
    failed("[{}] made a value that is not finite; input shapes {}", op, shapes_of(inputs));
  const bool tracked = std::any_of(inputs.begin(), inputs.end(), [](const Var& x) { return x.tracked(); });
  if (!tracked || !is_recording) return Var(std::move(value));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!(keep & keep_input(static_cast<int>(i)))) inputs[i] = Var(inputs[i].value().hollow(), inputs[i].node());
  Tensor kept = keep & keep_output ? value : value.hollow();
  return Var(std::move(value), std::make_shared<Node>(op, std::move(inputs), std::move(kept), std::move(rule)));
}

bool recording() { return is_recording; }
NoGrad::NoGrad() : before_(is_recording) { is_recording = false; }
NoGrad::~NoGrad() { is_recording = before_; }
Anomaly::Anomaly() : before_(is_checking) { is_checking = true; }
Anomaly::~Anomaly() { is_checking = before_; }

Index live_nodes() { return nodes_alive; }

Node::Node(const char* op, Vars inputs, Tensor output, Rule rule)
    : op(op), inputs(std::move(inputs)), output(std::move(output)), rule(std::move(rule)), order(nodes_made++) {
  ++nodes_alive;
}

Node::~Node() {
  --nodes_alive;
  // The outermost destructor empties a list that the inner ones fill: depth two, however long the chain.
  thread_local std::vector<Vars>* pending = nullptr;
  if (inputs.empty()) return;
  if (pending) {
    pending->push_back(std::move(inputs));
    return;
  }
  std::vector<Vars> list;
  pending = &list;
  list.push_back(std::move(inputs));
  while (!list.empty()) {
    const Vars released = std::move(list.back());
    list.pop_back();
  }
  pending = nullptr;
}

Vars vjp(const Var& y, const Var& g, const Vars& xs, bool create_graph) {
  if (!(g.shape() == y.shape()))
    invalid("[vjp] the upstream gradient has shape {}, y has {}", str(g.shape()), str(y.shape()));
  std::unordered_map<Node*, std::size_t> wanted;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!xs[i].tracked()) invalid("[grad] x number {} of shape {} is a constant: make it with parameter()", i, str(xs[i].shape()));
    wanted.emplace(xs[i].node().get(), i);
  }

  std::unordered_map<Node*, Gradient> gradients;
  if (y.tracked()) {
    const Recording mode(create_graph);
    const std::vector<Node*> nodes = nodes_between(y, wanted);
    const std::unordered_set<Node*> needed(nodes.begin(), nodes.end());
    gradients[y.node().get()].value = g;
    for (Node* node : nodes) {
      if (node->inputs.empty()) continue;
      const auto at = gradients.find(node);
      if (at == gradients.end()) continue;
      const Var upstream = at->second.value;
      if (wanted.count(node))
        at->second.owned = false;
      else
        gradients.erase(at);
      const Vars parts = node->rule(upstream, node->inputs, Var(node->output, node->shared_from_this()));
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const Var& x = node->inputs[i];
        if (!x.tracked() || !needed.count(x.node().get())) continue;
        check_gradient(*node, parts[i], x, i);
        Gradient& total = gradients[x.node().get()];
        accumulate(total.value, parts[i], total.owned);
      }
    }
  }

  Vars out;
  for (const Var& x : xs) {
    const auto at = gradients.find(x.node().get());
    out.push_back(at != gradients.end() ? at->second.value : Var(Tensor::full(x.shape(), 0, x.device())));
  }
  return out;
}

Vars grad(const Var& y, const Vars& xs, bool create_graph) {
  if (y.size() != 1)
    invalid("[grad] y has shape {}; it must have one element: sum it, or give an upstream gradient to vjp()", str(y.shape()));
  return vjp(y, Var(Tensor::full(y.shape(), 1, y.device())), xs, create_graph);
}

}  // namespace dale
