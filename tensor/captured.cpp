#include "tensor/captured.h"

#include <algorithm>

#include "tensor/cuda/machine.h"
#include "tensor/verbs.h"

namespace dale {
namespace {

constexpr std::size_t most_recordings = 4;

/// One shape, and elements in the same places.
bool same_layout(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return false;
  for (int i = 0; i < a.rank(); ++i)
    if (a.dim(i) > 1 && a.strides()[i] != b.strides()[i]) return false;
  return true;
}

}  // namespace

std::vector<Tensor> Captured::operator()(const std::vector<Tensor>& inputs) {
  if (inputs.empty() || inputs[0].device() == Device::cpu || cuda_recording()) return f_(inputs);
  const auto known = std::find_if(recordings_.begin(), recordings_.end(), [&](const Recording& r) {
    return std::equal(inputs.begin(), inputs.end(), r.asked.begin(), r.asked.end(), same_layout);
  });
  if (known == recordings_.end()) {
    std::vector<Tensor> outputs = f_(inputs);
    if (recordings_.size() == most_recordings) recordings_.pop_back();
    Recording& r = *recordings_.insert(recordings_.begin(), Recording{});
    for (const Tensor& x : inputs) r.asked.push_back(x.hollow());
    return outputs;
  }
  std::rotate(recordings_.begin(), known, known + 1);
  Recording& r = recordings_.front();
  if (!r.graph) {
    const PoolScope scope(Device::cuda);
    Recording made{r.asked, {}, {}, {}};
    for (const Tensor& x : r.asked) made.inputs.push_back(raw::laid_out_like(x, x.shape()));
    made.graph = cuda_record([&] { made.outputs = f_(made.inputs); });
    r = std::move(made);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) raw::copy_into(r.inputs[i], inputs[i]);
  cuda_replay(r.graph.get());
  return r.outputs;
}

}  // namespace dale
