// Convolution of 3×3 taps in steps of 1 with fewer multiplications: see winograd.cpp. The three functions
// keep the promises of tensor/kernels.h; conv.cpp calls them where they pay.
#pragma once

#include "tensor/kernels.h"

namespace dale::cpu::winograd {

/// Whether s has the taps and steps that these functions are written for, and enough channels and pixels to
/// gain by them.
bool pays(const ConvShape& s);

// REQUIRES pays(s), here and below.
void conv2d(const ConvShape& s, In x, In w, In shift, In residual, Out y);
void conv2d_input(const ConvShape& s, In y, In w, Out x);
void conv2d_weight(const ConvShape& s, In x, In y, Out w);

}  // namespace dale::cpu::winograd
