// Convolution of 3×3 taps in steps of 1 with fewer multiplications: see winograd.cpp. The three functions
// keep the promises of tensor/kernels.h; conv.cpp calls them where they pay.
#pragma once

#include "tensor/kernels.h"

namespace dale::cpu::winograd {

/// Whether s has the taps and steps that these functions are written for, and enough channels and pixels to
/// gain by them.
bool pays(const ConvShape& s);

// REQUIRES pays(s), here and below.
void conv2d(const ConvShape& s, std::span<const real> x, std::span<const real> w, std::span<const real> shift,
            std::span<const real> residual, std::span<real> y);
void conv2d_input(const ConvShape& s, std::span<const real> y, std::span<const real> w, std::span<real> x);
void conv2d_weight(const ConvShape& s, std::span<const real> x, std::span<const real> y, std::span<real> w);

}  // namespace dale::cpu::winograd
