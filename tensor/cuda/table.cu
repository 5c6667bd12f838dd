// The CUDA machine: one constant table. Its verbs are the map, the zip, the reduction, the product and what a
// training step adds to them; convolution, rows by index and group normalisation are not written for it yet,
// and say so.
#include "tensor/cuda/missing.h"
#include "tensor/cuda/verbs.h"

namespace dale {

using cuda::missing;

constexpr Kernels table{.fill = cuda::fill,
                        .unary = cuda::unary,
                        .binary = cuda::binary,
                        .copy = cuda::copy,
                        .copy_int = cuda::copy_int,
                        .reduce = cuda::reduce,
                        .matmul = cuda::matmul,
                        .conv2d = missing<"conv2d">,
                        .conv2d_input = missing<"conv2d_input">,
                        .conv2d_weight = missing<"conv2d_weight">,
                        .gather = missing<"gather">,
                        .scatter_add = missing<"scatter_add">,
                        .random = cuda::random,
                        .group_norm = missing<"group_norm">,
                        .group_norm_gradient = missing<"group_norm_gradient">,
                        .squared_norms = cuda::squared_norms,
                        .adam = cuda::adam,
                        .lerp = cuda::lerp};
static_assert(complete(table), "a verb of tensor/kernels.h has no entry in the CUDA machine's table");

const Kernels cuda_kernels = table;

}  // namespace dale
