// The rows of the op table: what an op is called, how it is called, and what it must give.
#pragma once

#include <vector>

#include "autograd/ops.h"

namespace dale {

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
  std::function<Var(const Vars&)> op;
  std::function<Exact(Exacts)> reference;
  double low = -2, high = 2;  // the inputs' domain
  double terms = 1;           // K: how many terms a result sums, for the tolerance 8 √K ε
};

/// Every op of autograd/ops.h, most of them in several shapes.
std::vector<Row> op_table();

// Its second half, in op_table_structured.cpp.
void add_composites(std::vector<Row>& table);
void add_products(std::vector<Row>& table);

}  // namespace dale
