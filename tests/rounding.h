// How many times as far as plain sums of the same terms a convolution may round, in root mean squares over
// normal numbers. tests/conv_test.cpp holds the kernels to it, tests/torch_test.cpp derives from it what a
// network may. Winograd's transforms err by some 4 ε however few the terms are: more than short sums do. (The
// constants in them, rounded to float, happen to be closer than in double: with them it is 2.9 and 5.8 at
// most.)
#pragma once

namespace dale {

constexpr double rougher_long_sums = 4;   // of 98 terms or more: R1's at 7×7 pixels and 2 images
constexpr double rougher_short_sums = 9;  // of 18 or more

}  // namespace dale
