// Memory for one call of a kernel, from the cache of storage.h: uninitialised numbers, 64-byte aligned. On
// CUDA its next user is a later kernel of the same stream: it cannot be early.
#pragma once

#include "tensor/kernels.h"
#include "tensor/storage.h"

namespace dale {

template <Device device> class ScratchOn {
 public:
  explicit ScratchOn(Index n) : block_(static_cast<std::size_t>(n) * sizeof(real), device) {}
  real* data() const { return static_cast<real*>(block_.data()); }
  Out span() const { return {data(), block_.bytes() / sizeof(real)}; }

 private:
  Storage block_;
};

namespace cpu {
using Scratch = ScratchOn<Device::cpu>;
}
namespace cuda {
using Scratch = ScratchOn<Device::cuda>;
}

}  // namespace dale
