// Variables, and the graph that their making leaves behind.
//
// An op computes y = f(x₁,…,x_k) and records a node: its inputs and its rule, the vector–Jacobian
// product
//   rule(g, inputs, output) = (gᵀ ∂f/∂x₁, …, gᵀ ∂f/∂x_k)                             (II.1)
// written in differentiable ops, so that a gradient is again a Var with a graph, and derivatives of any order
// come from the same table of rules. grad() walks the nodes from y back to the xs and adds up what the rules
// return.
//
// Laws (README.md §2). Law 1: a rule calls only differentiable ops. Law 2: it captures attributes, never a
// Var. Law 3: it returns the input's exact shape. Law 4: a tensor is never written after it is recorded, but
// for leaves between steps.
//
// Read first: tensor/tensor.h, tensor/verbs.h.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tensor/verbs.h"

namespace dale {

struct Node;

/// A tensor that may be tracked: an op on tracked Vars records a node. Copying a Var copies a handle.
class Var {
 public:
  Var() = default;
  /// A constant.
  Var(Tensor value) : value_(std::move(value)) {}
  Var(Tensor value, std::shared_ptr<Node> node) : value_(std::move(value)), node_(std::move(node)) {}

  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  int rank() const { return value_.rank(); }
  Index dim(int axis) const { return value_.dim(axis); }
  Index size() const { return value_.size(); }
  Device device() const { return value_.device(); }
  real item() const { return value_.item(); }

  bool tracked() const { return node_ != nullptr; }
  const std::shared_ptr<Node>& node() const { return node_; }
  /// The same value as a constant.
  Var detach() const { return Var(value_); }
  /// Lets go of the value's elements, keeping shape and node.
  void forget() { value_.forget(); }
  /// The value of a leaf, to be replaced or written by optimisers between steps. Throws std::logic_error
  /// otherwise.
  Tensor& leaf_value();

 private:
  Tensor value_;
  std::shared_ptr<Node> node_;
};

using Vars = std::vector<Var>;

/// A leaf: a tracked Var with no inputs, such as a network's weight.
Var parameter(Tensor value);

/// A rule reads the values it kept (see keep_input); of the others only shape and device are there.
using Rule = std::function<Vars(const Var& g, const Vars& inputs, const Var& output)>;

/// Which values a node keeps for its rule: a sum of these. Inputs after the 31st are never kept.
constexpr unsigned keep_nothing = 0, keep_output = 1u << 31, keep_inputs = keep_output - 1;
constexpr unsigned keep_input(int i) { return i < 31 ? 1u << i : 0; }
/// What is linear in a and in b keeps of each what the other's gradient reads.
inline unsigned keep_others(const Var& a, const Var& b) {
  return (a.tracked() ? keep_input(1) : 0) | (b.tracked() ? keep_input(0) : 0);
}

/// Makes the result of an op. When no input is tracked, or recording is off, it is a constant and the rule is
/// dropped.
Var record(const char* op, Tensor value, Vars inputs, unsigned keep, Rule rule);

/// For rules: calls the i-th function only when input i is tracked, and returns no gradient for the others.
template <class... F> Vars each(const Vars& inputs, const F&... gradient) {
  std::size_t i = 0;
  Vars out;
  out.reserve(sizeof...(F));
  (out.push_back(inputs[i++].tracked() ? gradient() : Var()), ...);
  return out;
}

/// True when ops on tracked Vars record nodes.
bool recording();
/// A computation that left the finite numbers, as distinct from a machine or a file that failed.
struct NotFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What this thread's ops do beside their work: record nodes; check their results.
enum class Mode { records, checks };
bool& mode(Mode m);
/// Turns one of them on or off while it lives.
template <Mode m, bool on> class While {
 public:
  explicit While(bool value = on) : before_(std::exchange(mode(m), value)) {}
  ~While() { mode(m) = before_; }
  While(const While&) = delete;

 private:
  bool before_;
};
/// No recording.
using NoGrad = While<Mode::records, false>;
/// Recording, also inside a NoGrad: for functions that differentiate whatever their caller does.
using WithGrad = While<Mode::records, true>;
/// Every op checks its result, and every gradient is checked: the first value that is not finite throws
/// NotFinite naming the op and its inputs' shapes. Costs a pass over each result.
using Anomaly = While<Mode::checks, true>;

/// The first of these counts that is not 0, from 1; 0 where there is none.
Index first_above_0(const std::vector<Tensor>& counts);

/// loop(step)'s result, where loop makes the result of each of its steps by step(f), f giving a Var. The
/// machine counts what is not finite. On the CPU the counts are read after each step; on a device once, at
/// the end, so that the host does not wait. Where a step failed the loop is run again, with Anomaly watching
/// that step, and NotFinite says `<what> <number>: [op] made a value that is not finite; …`, the number
/// being the step's, after `before` others. Any other error passes as it is, unless a step before it failed.
/// REQUIRES loop to be a function of unchanged state.
template <class Loop> auto finite_loop(const char* what, const Loop& loop, Index before = 0) {
  struct Failed {};
  std::vector<Tensor> counts;  // of numbers that are not finite, in each step's result
  try {
    auto result = loop([&](const auto& f) {
      Var y = f();
      counts.push_back(raw::count_not_finite(y.value()));
      if (y.device() == Device::cpu && counts.back().item() > 0) throw Failed{};
      return y;
    });
    if (!first_above_0(counts)) return result;
  } catch (...) {
    if (!first_above_0(counts)) throw;
  }
  const Index failed = first_above_0(counts);
  Index number = 0;
  try {
    loop([&](const auto& f) {
      const bool watched = ++number == failed;
      const Anomaly watch(watched || mode(Mode::checks));
      Var y = f();
      if (watched) throw NotFinite("the result is not finite");
      return y;
    });
    broken("a loop was shorter when it was run again");
  } catch (const NotFinite& error) {
    throw NotFinite(fmt::format("{} {}: {}", what, before + failed, error.what()));
  }
}

/// The same for one step, f.
template <class F> Var finite_step(const char* what, Index number, const F& f) {
  return finite_loop(
      what, [&](const auto& step) { return step(f); }, number - 1);
}

/// gᵀ ∂y/∂x for every x in xs; zeros for an x that y does not depend on. With create_graph the results
/// are tracked themselves. REQUIRES g in y's shape. Throws std::invalid_argument for an untracked x or y, and
/// where a value that a rule needs was written to since the rule kept it.
Vars vjp(const Var& y, const Var& g, const Vars& xs, bool create_graph = false);

/// ∂y/∂x for every x in xs, of a y with one element; else as vjp.
Vars grad(const Var& y, const Vars& xs, bool create_graph = false);

/// The same, as the last gradient that anybody takes through y's graph: a node lets go of the values it kept
/// as soon as its rule has run, so that memory falls during the walk. A later walk that needs such a node
/// throws std::logic_error.
Vars last_grad(const Var& y, const Vars& xs);

/// Nodes alive in this process, leaves included: back to where it was once the last Var of a graph is gone.
Index live_nodes();

/// A node of the graph. Edges point from results to inputs; a node lives as long as something made from it
/// does.
struct Node : std::enable_shared_from_this<Node> {
  Node(const char* op, Vars inputs, Tensor output, Rule rule);
  ~Node();
  Node(const Node&) = delete;
  /// Lets go of the values and of what the rule captured; the edges stay.
  void release();
  /// Σ of the versions of the values kept: another one than `version` once somebody wrote to them.
  std::uint64_t versions() const;

  const char* op;
  Vars inputs;            // hollow where the rule does not read the value
  Tensor output;          // hollow likewise
  Rule rule;              // empty for a leaf, and once released
  std::uint64_t order;    // nodes are numbered as they are made: inputs have smaller numbers
  std::uint64_t version;  // of the values kept, when they were
};

}  // namespace dale
