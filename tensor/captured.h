// A function of arrays that is called many times with the same shapes: an evaluation of a network, the loss
// and gradients of a training step. On the CPU it is simply called. On CUDA it is recorded as a graph of all
// its kernels, which then starts as one (cuda/stream.cu).
//
//   first call with some shapes    plainly, which also makes what is made once
//   second                         recorded, over copies of the inputs at fixed addresses
//   from the second on             inputs copied in, graph replayed
//
// Read first: tensor.h, cuda/machine.h.
#pragma once

#include <functional>
#include <memory>

#include "tensor/tensor.h"

namespace dale {

class Captured {
 public:
  using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

  /// REQUIRES of f: what changes from call to call are its inputs' elements; all else that it reads (weights,
  /// say) stays where it is in memory, and may be written in place, by f too, or between calls; the machine's
  /// precision stays as it is. What f does on the host is not repeated, nor are its checks of indices. A copy
  /// to or from the host in it throws std::logic_error at the second call.
  explicit Captured(Function f) : f_(std::move(f)) {}
  Captured(Captured&&) = default;

  /// f(inputs), all on one machine. The results are valid until the next call.
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs);

 private:
  struct Recording {
    std::vector<Tensor> asked;  // hollow: the shapes and layouts it is for
    std::vector<Tensor> inputs, outputs;
    std::shared_ptr<void> graph;  // none yet before the second call
  };

  Function f_;
  std::vector<Recording> recordings_;  // a handful, the last used first
};

}  // namespace dale
