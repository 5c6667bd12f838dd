// Pages: self-contained HTML, readable on a phone and in print.
#pragma once

#include <string>

#include "tensor/tensor.h"

namespace dale {

/// A whole page around `body`, with the style that the sections expect.
std::string page(const std::string& title, const std::string& body);

/// An <img> that carries its own PNG: image (1,H,W) in [0,1], with a size and a text alternative.
std::string picture(const Tensor& image, const std::string& alternative);

}  // namespace dale
