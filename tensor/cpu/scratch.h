// Memory for one call of a kernel, from the cache of tensor/storage.h: uninitialised numbers, 64-byte
// aligned.
#pragma once

#include "tensor/scalar.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace dale::cpu {

class Scratch {
 public:
  explicit Scratch(Index n) : block_(static_cast<std::size_t>(n) * sizeof(real), Device::cpu) {}
  real* data() const { return static_cast<real*>(block_.data()); }

 private:
  Storage block_;
};

}  // namespace dale::cpu
