// How many times as far as plain sums of the same terms a convolution may round, in root mean squares over
// normal numbers. tests/conv_test.cpp holds the kernels to it, tests/torch_test.cpp derives from it what a
// network may. Winograd's transforms err by some 4 ε however few the terms are: more than short sums do.
#pragma once

namespace dale {

constexpr double rougher_long_sums = 3;   // of 98 terms or more: R1's at 7×7 pixels and 2 images
constexpr double rougher_short_sums = 7;  // of 18 or more

}  // namespace dale
