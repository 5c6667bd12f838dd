// Pages: self-contained HTML, readable on a phone, in print, by light and in the dark. A page may load
// nothing, which its content security policy says to the browser.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace dale {

/// A whole page around `body`, with the style that the sections expect.
std::string page(const std::string& title, const std::string& body);

/// An <img> that carries its own PNG: image (1,H,W) in [0,1], with a size and a text alternative.
std::string picture(const Tensor& image, const std::string& alternative);

/// A <figure> of what is given (a picture, a plot) with its caption, plain text.
std::string captioned(const std::string& content, const std::string& caption);

/// A table of plain text; on narrow screens each row becomes a list of "head: cell". The first `names`
/// columns are names, the others numbers. REQUIRES as many cells in each row as heads.
std::string html_table(const std::vector<std::string>& heads,
                       const std::vector<std::vector<std::string>>& rows, int names = 1);

}  // namespace dale
