// The images of each step. Epochs follow one another, each in an order of its own, and a batch may span two:
// which images a step sees is a function of the key and the step's number. A background thread gathers the
// next step's batch while the present one is worked on.
#pragma once

#include <algorithm>
#include <future>

#include "tensor/draw.h"

namespace dale {

struct Batch {
  Tensor images;     // (B,C,H,W)
  IntTensor labels;  // (B), or undefined
};

class Batches {
 public:
  /// Of images (N,C,H,W) and labels (N), or undefined, on the CPU. REQUIRES N ≥ 1 and batch ≥ 1; the batch
  /// may exceed N.
  Batches(Tensor images, IntTensor labels, Key key, Index batch)
      : images_(images.packed()), labels_(std::move(labels)), key_(key), batch_(batch) {}

  /// The batch of a step, waiting for it where need be; then begins with the next step's. Not from two
  /// threads.
  Batch at(Index step) {
    Batch now;
    if (next_.valid()) now = next_.get();
    if (step != next_step_ || !now.images.defined()) now = gather(step);
    next_step_ = step + 1;
    next_ = std::async(std::launch::async, [this, step] { return gather(step + 1); });
    return now;
  }

 private:
  Batch gather(Index step) {
    const Index N = images_.dim(0), pixels = images_.size() / N;
    Batch out{Tensor({batch_, images_.dim(1), images_.dim(2), images_.dim(3)}), {}};
    if (labels_.defined()) out.labels = IntTensor({batch_});
    for (Index b = 0; b < batch_; ++b) {
      const Index place = step * batch_ + b;
      if (place / N != epoch_) {
        epoch_ = place / N;
        order_ = permutation(key_.split(static_cast<std::uint64_t>(epoch_)), N);
      }
      const Index n = order_[static_cast<std::size_t>(place % N)];
      std::copy_n(images_.data() + n * pixels, pixels, out.images.data() + b * pixels);
      if (labels_.defined()) out.labels.data()[b] = labels_.data()[n];
    }
    return out;
  }

  Tensor images_;
  IntTensor labels_;
  Key key_;
  Index batch_, epoch_ = -1, next_step_ = 0;
  std::vector<std::int32_t> order_;
  std::future<Batch> next_;  // last, so that it is waited for before what it reads goes
};

}  // namespace dale
