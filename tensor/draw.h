// Arrays of random numbers, each a function of a key and of where in the key's stream it begins (random.h).
// Batches that start at `first` see the numbers that a larger batch would have there.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace dale {

/// A key and the element where its stream begins, as Kernels::random reads them: 4 words.
std::vector<std::int32_t> random_state(Key key, std::uint64_t first = 0);

/// U[0, 1) in steps of 2⁻²⁴, and N(0, 1).
Tensor uniform(Key key, const Shape& shape, std::uint64_t first = 0, Device device = Device::cpu);
Tensor normal(Key key, const Shape& shape, std::uint64_t first = 0, Device device = Device::cpu);
/// 1 with probability p, else 0. Throws std::invalid_argument unless 0 ≤ p ≤ 1.
Tensor bernoulli(Key key, const Shape& shape, double p, std::uint64_t first = 0, Device device = Device::cpu);
/// The same from a state (4) in the machine's memory, where a captured function finds another at each call.
Tensor bernoulli(const IntTensor& state, const Shape& shape, double p);
/// Uniform on low … high − 1. Throws std::invalid_argument unless low < high.
IntTensor integers(Key key, const Shape& shape, std::int32_t low, std::int32_t high, std::uint64_t first = 0,
                   Device device = Device::cpu);
/// 0 … n−1 in random order (Fisher–Yates). Throws std::invalid_argument for n outside [0, 2³¹).
std::vector<std::int32_t> permutation(Key key, Index n);

}  // namespace dale
