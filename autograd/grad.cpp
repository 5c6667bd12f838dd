// Reverse accumulation. Nodes are numbered in the order of their making, which is a topological order:
// walking the nodes that y depends on from the highest number down meets every node after all that use it.
// Both the walk and the release of a graph are loops, not recursions, so a chain may be as long as memory
// lasts.
#include <algorithm>
#include <atomic>
#include <queue>
#include <utility>

#include "autograd/ops.h"
#include "autograd/var.h"

namespace dale {
namespace {

std::atomic<std::uint64_t> nodes_made{0};
std::atomic<Index> nodes_alive{0};

std::string shapes_of(const Vars& inputs) {
  std::string text;
  for (const Var& x : inputs) text += (text.empty() ? "" : ", ") + str(x.shape());
  return text;
}

/// A node between y and the xs, and the gradient gathered for it so far. This is a walk's own knowledge, so
/// that walks in several threads, or of a rule inside a walk, may meet in shared nodes.
struct Stop {
  Node* node;
  bool wanted = false;  // an x itself
  bool needed = false;  // some x can be reached from here
  bool owned = false;   // the engine made this sum and has not handed it out
  Var gradient{};
};

/// x's among the stops, which are newest first, or nullptr.
Stop* at(std::vector<Stop>& stops, const Var& x) {
  if (!x.tracked()) return nullptr;
  const auto stop =
      std::lower_bound(stops.begin(), stops.end(), x.node()->order,
                       [](const Stop& s, std::uint64_t order) { return s.node->order > order; });
  return stop != stops.end() && stop->node == x.node().get() ? &*stop : nullptr;
}

/// All nodes between y and the xs, newest first.
std::vector<Stop> stops_between(const Var& y, const Vars& xs) {
  std::uint64_t oldest = ~std::uint64_t{0};
  for (const Var& x : xs) oldest = std::min(oldest, x.node()->order);
  const auto older = [](const Node* a, const Node* b) { return a->order < b->order; };
  std::priority_queue<Node*, std::vector<Node*>, decltype(older)> ahead(older);
  ahead.push(y.node().get());
  std::vector<Stop> stops;
  while (!ahead.empty()) {
    Node* node = ahead.top();
    ahead.pop();
    if (!stops.empty() && stops.back().node == node) continue;  // an input of several
    stops.push_back({node});
    for (const Var& x : node->inputs)
      if (x.tracked() && x.node()->order >= oldest) ahead.push(x.node().get());
  }
  for (const Var& x : xs)
    if (Stop* stop = at(stops, x)) stop->wanted = stop->needed = true;
  for (auto stop = stops.rbegin(); stop != stops.rend(); ++stop)
    for (const Var& x : stop->node->inputs)
      if (const Stop* input = at(stops, x); input && input->needed) stop->needed = true;
  return stops;
}

/// stop's gradient += g. A sum that nobody else can see is added to in place.
void add_to(Stop& stop, Var g) {
  if (!stop.gradient.value().defined()) {
    stop.gradient = std::move(g);
  } else if (stop.owned && !recording()) {
    Tensor sum = stop.gradient.value();
    raw::binary_into(Binary::add, sum, g.value());
  } else {
    stop.gradient = stop.gradient + g;
    stop.owned = true;
  }
}

void check_gradient(const Node& node, const Var& g, const Var& x, std::size_t i) {
  if (!(g.shape() == x.shape()))
    broken("[{}] the rule returned a gradient of shape {} for input {} of shape {}", node.op, str(g.shape()),
           i, str(x.shape()));
  if (mode(Mode::checks) && !all_finite(g.value()))
    throw NotFinite(fmt::format("[{}] the gradient of input {} is not finite; input shapes {}", node.op, i,
                                shapes_of(node.inputs)));
}

}  // namespace

Tensor& Var::leaf_value() {
  if (!node_ || !node_->inputs.empty()) broken("leaf_value() of a Var that is not a leaf");
  return value_;
}

Var parameter(Tensor value) {
  if (!value.defined()) invalid("[parameter] the tensor is empty; expected one with elements");
  Tensor shape = value.hollow();
  return Var(std::move(value), std::make_shared<Node>("parameter", Vars{}, std::move(shape), nullptr));
}

Var record(const char* op, Tensor value, Vars inputs, unsigned keep, Rule rule) {
  if (mode(Mode::checks) && !all_finite(value))
    throw NotFinite(
        fmt::format("[{}] made a value that is not finite; input shapes {}", op, shapes_of(inputs)));
  const bool tracked = std::any_of(inputs.begin(), inputs.end(), [](const Var& x) { return x.tracked(); });
  if (!tracked || !recording()) return Var(std::move(value));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!(keep & keep_input(static_cast<int>(i)))) inputs[i].forget();
  Tensor kept = keep & keep_output ? value : value.hollow();
  return Var(std::move(value),
             std::make_shared<Node>(op, std::move(inputs), std::move(kept), std::move(rule)));
}

bool& mode(Mode m) {
  thread_local bool modes[] = {true, false};
  return modes[static_cast<int>(m)];
}
bool recording() { return mode(Mode::records); }

Index first_above_0(const std::vector<Tensor>& counts) {
  if (counts.empty()) return 0;
  const std::vector<real> squares = raw::squared_norms(counts).to_vector();
  const auto at = std::find_if(squares.begin(), squares.end(), [](real square) { return square > 0; });
  return at == squares.end() ? 0 : at - squares.begin() + 1;
}

Index live_nodes() { return nodes_alive; }

Node::Node(const char* op, Vars inputs, Tensor output, Rule rule)
    : op(op),
      inputs(std::move(inputs)),
      output(std::move(output)),
      rule(std::move(rule)),
      order(nodes_made++),
      version(versions()) {
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

std::uint64_t Node::versions() const {
  std::uint64_t sum = output.version();
  for (const Var& x : inputs) sum += x.value().version();
  return sum;
}

void Node::release() {
  for (Var& x : inputs) x.forget();
  output.forget();
  rule = nullptr;
}

namespace {

enum class Graph { kept, created, released };

Vars walk_back(const Var& y, const Var& g, const Vars& xs, Graph graph) {
  if (!(g.shape() == y.shape()))
    invalid("[vjp] the upstream gradient has shape {}, y has {}", str(g.shape()), str(y.shape()));
  for (std::size_t i = 0; i < xs.size(); ++i)
    if (!xs[i].tracked())
      invalid("[grad] x number {} of shape {} is a constant: make it with parameter()", i,
              str(xs[i].shape()));
  if (!y.tracked())
    invalid(
        "[grad] y depends on no parameter, or was not recorded: make it outside NoGrad, and a gradient that "
        "is differentiated again with create_graph");
  const WithGrad recorded(graph == Graph::created);
  std::vector<Stop> stops = stops_between(y, xs);
  stops[0].gradient = g;
  for (Stop& stop : stops) {
    Node& node = *stop.node;
    if (!stop.needed || node.inputs.empty() || !stop.gradient.value().defined()) continue;
    const Var upstream = stop.wanted ? stop.gradient : std::exchange(stop.gradient, Var());
    if (!node.rule)
      broken("[{}] its values were released by last_grad(): take the earlier gradients with grad()", node.op);
    if (node.versions() != node.version)
      invalid(
          "[{}] a value that its gradient needs was written to since: take gradients before the step that "
          "changes parameters",
          node.op);
    Vars parts = node.rule(upstream, node.inputs, Var(node.output, node.shared_from_this()));
    if (parts.size() != node.inputs.size())
      broken("[{}] the rule returned {} gradients for {} inputs", node.op, parts.size(), node.inputs.size());
    for (std::size_t k = 0; k < parts.size(); ++k)
      if (Stop* input = at(stops, node.inputs[k]); input && input->needed) {
        check_gradient(node, parts[k], node.inputs[k], k);
        add_to(*input, std::move(parts[k]));
      }
    if (graph == Graph::released) node.release();
  }
  Vars out;
  for (const Var& x : xs) {
    const Stop* stop = at(stops, x);
    Var slope = stop ? stop->gradient : Var();
    if (!slope.value().defined()) slope = Tensor::full(x.shape(), 0, x.device());
    if (graph == Graph::created && !slope.tracked()) slope = parameter(slope.value());  // 0, not an error
    out.push_back(std::move(slope));
  }
  return out;
}

/// ∂y/∂x of a y with one element.
Vars slopes(const Var& y, const Vars& xs, Graph graph) {
  if (y.size() != 1)
    invalid("[grad] y has shape {}; it must have one element: sum it, or give an upstream gradient to vjp()",
            str(y.shape()));
  return walk_back(y, Var(Tensor::full(y.shape(), 1, y.device())), xs, graph);
}

}  // namespace

Vars vjp(const Var& y, const Var& g, const Vars& xs, bool create_graph) {
  return walk_back(y, g, xs, create_graph ? Graph::created : Graph::kept);
}

Vars grad(const Var& y, const Vars& xs, bool create_graph) {
  return slopes(y, xs, create_graph ? Graph::created : Graph::kept);
}

Vars last_grad(const Var& y, const Vars& xs) { return slopes(y, xs, Graph::released); }

}  // namespace dale
