// Pictures of another size, such as a data set wants of photographs.
#pragma once

#include "tensor/tensor.h"

namespace dale {

/// Pictures (C,H,W) or (N,C,H,W) as (…,height,width). Of each, the largest window of the target's
/// proportions is taken, in whole pixels and from the middle, and then  y = A x Bᵀ  with a matrix for each
/// axis. The rows of a matrix sum to 1; from n pixels to m, row i is
///   m ≤ n  how much of [i n/m, (i + 1) n/m] each pixel [j, j + 1] covers, over n/m: the mean of an area;
///   m > n  linear between the two pixels whose centres j + 1/2 are about (i + 1/2) n/m, and at the rim the
///          outermost pixel.
/// What has the size is thereby left as it is, bit for bit. Throws std::invalid_argument for another shape
/// or none of these, and for sides below 1 or above max_image_side.
Tensor resized(const Tensor& images, Index height, Index width);

}  // namespace dale
