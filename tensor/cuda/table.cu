// The CUDA machine: one constant table.
#include "tensor/cuda/verbs.h"

namespace dale {

constexpr Kernels table{.fill = cuda::fill,
                        .unary = cuda::unary,
                        .binary = cuda::binary,
                        .copy = cuda::copy,
                        .copy_int = cuda::copy_int,
                        .reduce = cuda::reduce,
                        .matmul = cuda::matmul,
                        .conv2d = cuda::conv2d,
                        .conv2d_input = cuda::conv2d_input,
                        .conv2d_weight = cuda::conv2d_weight,
                        .gather = cuda::gather,
                        .scatter_add = cuda::scatter_add,
                        .random = cuda::random,
                        .group_norm = cuda::group_norm,
                        .group_norm_gradient = cuda::group_norm_gradient,
                        .squared_norms = cuda::squared_norms,
                        .adam = cuda::adam,
                        .lerp = cuda::lerp};
static_assert(complete(table), "a verb of tensor/kernels.h has no entry in the CUDA machine's table");

const Kernels cuda_kernels = table;

}  // namespace dale
