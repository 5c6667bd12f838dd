// The CPU machine: one constant table, compiled once for each level of vector instructions (Makefile:
// LEVELS), under a name of its own.
#include "tensor/cpu/machine.h"

namespace dale {

constexpr Kernels table{.fill = cpu::fill,
                        .unary = cpu::unary,
                        .binary = cpu::binary,
                        .copy = cpu::copy,
                        .copy_int = cpu::copy_int,
                        .reduce = cpu::reduce,
                        .matmul = cpu::matmul,
                        .conv2d = cpu::conv2d,
                        .conv2d_input = cpu::conv2d_input,
                        .conv2d_weight = cpu::conv2d_weight,
                        .gather = cpu::gather,
                        .scatter_add = cpu::scatter_add,
                        .random = cpu::random,
                        .group_norm = cpu::group_norm,
                        .group_norm_gradient = cpu::group_norm_gradient,
                        .squared_norms = cpu::squared_norms,
                        .adam = cpu::adam,
                        .lerp = cpu::lerp};
static_assert(complete(table), "a verb of tensor/kernels.h has no entry in the CPU machine's table");

extern "C" const Kernels DALE_TABLE = table;

}  // namespace dale
