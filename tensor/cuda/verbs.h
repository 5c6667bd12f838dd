// The verbs that the CUDA machine has, as promised in tensor/kernels.h; table.cu lists them among those it
// has not.
#pragma once

#include "tensor/kernels.h"

namespace dale::cuda {

void fill(std::span<real> y, real value);
void unary(Unary op, const View<const real>& x, std::span<real> y);
void binary(Binary op, const View<const real>& a, const View<const real>& b, std::span<real> y);
void copy(const View<const real>& x, const View<real>& y);
void copy_int(const View<const std::int32_t>& x, const View<std::int32_t>& y);
void reduce(Reduce op, const View<const real>& x, int kept, std::span<real> y);
void matmul(const View<const real>& a, const View<const real>& b, std::span<real> y);
void random(Random kind, std::span<const std::int32_t> state, std::span<real> y);
void squared_norms(std::span<const std::span<const real>> x, std::span<real> y);
void adam(std::span<const real> settings, std::span<const AdamArrays> parameters);
void lerp(std::span<const real> weight, std::span<const LerpArrays> arrays);

}  // namespace dale::cuda
