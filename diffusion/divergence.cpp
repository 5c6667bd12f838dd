#include "diffusion/divergence.h"

namespace dale {

FieldAndDivergence divergence(const Field& f, const Var& y, Trace trace, Key key, bool create_graph,
                              std::uint64_t first) {
  const Index N = y.dim(0), d = N ? y.size() / N : 0;
  const WithGrad on;
  const Var at = parameter(y.value());
  const Var value = f(at);
  if (!value.tracked()) return {value, Tensor::full({N}, 0, y.device())};  // it does not depend on y
  const auto product = [&](const Var& v) {  // vᵀ (∂f/∂y) v for each image
    const Var weights = reshape(v, value.shape());
    return sum(reshape(vjp(value, weights, {at}, create_graph)[0] * weights, {N, d}), {1});
  };
  if (trace == Trace::hutchinson)
    return {
        value,
        product(2 * Var(bernoulli(key, {N, d}, 0.5, first * static_cast<std::uint64_t>(d), y.device())) - 1)};
  Var total = Tensor::full({N}, 0, y.device());
  for (Index i = 0; i < d; ++i) {
    const Var unit = one_hot(IntTensor::full({1}, static_cast<std::int32_t>(i), y.device()), d);
    total = total + product(broadcast_to(unit, {N, d}));
  }
  return {value, total};
}

}  // namespace dale
