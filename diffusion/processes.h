// The processes by name. Their texts, additive.cpp and multiplicative.cpp, are parallel.
#pragma once

#include "diffusion/process.h"

namespace dale {

class VarianceExploding : public Process {
 public:
  std::string name() const override { return "ve"; }
  bool multiplicative() const override { return false; }
  Var chart(const Var& x) const override;
  Var unchart(const Var& y) const override;
  Var hyvarinen_score(const Var& u, const Var& y) const override;
};

class Gbm : public Process {
 public:
  std::string name() const override { return "gbm"; }
  bool multiplicative() const override { return true; }
  Var chart(const Var& x) const override;
  Var unchart(const Var& y) const override;
  Var hyvarinen_score(const Var& u, const Var& y) const override;
};

}  // namespace dale
