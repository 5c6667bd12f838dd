#include "tensor/draw.h"

#include <numeric>

namespace dale {
namespace {

Tensor random(Random kind, const IntTensor& state, const Shape& shape) {
  if (state.size() != 4) invalid("[random] the state {} must be 4 words", str(state.shape()));
  Tensor y(shape, state.device());
  kernels(y.device()).random(kind, state.packed().cspan(), y.span());
  return y;
}

}  // namespace

std::vector<std::int32_t> random_state(Key key, std::uint64_t first) {
  const auto low = [](std::uint64_t v) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(v)); };
  return {low(key.value), low(key.value >> 32), low(first), low(first >> 32)};
}

Tensor uniform(Key key, const Shape& shape, std::uint64_t first, Device device) {
  return random(Random::uniform, IntTensor({4}, random_state(key, first), device), shape);
}

Tensor normal(Key key, const Shape& shape, std::uint64_t first, Device device) {
  return random(Random::normal, IntTensor({4}, random_state(key, first), device), shape);
}

Tensor bernoulli(Key key, const Shape& shape, double p, std::uint64_t first, Device device) {
  return bernoulli(IntTensor({4}, random_state(key, first), device), shape, p);
}

Tensor bernoulli(const IntTensor& state, const Shape& shape, double p) {
  if (!(p >= 0 && p <= 1)) invalid("[bernoulli] the probability {} is outside [0, 1]", p);
  const Device device = state.device();
  const Tensor u = random(Random::uniform, state, shape),
               limit = Tensor::full({}, static_cast<real>(p), device);
  Tensor y(shape, device);
  kernels(device).binary(Binary::greater, limit.broadcast_to(shape).cview(), u.cview(), y.span());
  return y;
}

IntTensor integers(Key key, const Shape& shape, std::int32_t low, std::int32_t high, std::uint64_t first,
                   Device device) {
  if (low >= high) invalid("[integers] there is no integer from {} to below {}", low, high);
  const std::uint64_t range = static_cast<std::uint64_t>(std::int64_t{high} - low);
  std::vector<std::int32_t> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t element = first + i;
    const std::uint32_t word = random_block(key.value, element / 4).w[element % 4];
    // The word scaled to 0 … range − 1 by its high product: none is favoured by more than range/2³².
    values[i] = static_cast<std::int32_t>(low + static_cast<std::int64_t>(range * word >> 32));
  }
  return IntTensor(shape, values, device);
}

std::vector<std::int32_t> permutation(Key key, Index n) {
  if (n < 0 || n >= Index{1} << 31) invalid("[permutation] {} elements cannot be numbered in 31 bits", n);
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (Index i = n; i-- > 1;) {
    const Words w = random_block(key.value, static_cast<std::uint64_t>(i));
    const std::uint64_t word = joined(w.w[0], w.w[1]);
    std::swap(order[static_cast<std::size_t>(i)], order[word % static_cast<std::uint64_t>(i + 1)]);
  }
  return order;
}

}  // namespace dale
