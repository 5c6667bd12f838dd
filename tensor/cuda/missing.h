// A machine's answer for a verb that it does not have: one function template over the verb's name and
// signature, so that a table names every entry and the one that is called says which it was.
//   .conv2d = missing<"conv2d">  throws
//   [conv2d] the CUDA machine does not have this kernel: use --device cpu
#pragma once

#include <algorithm>
#include <cstddef>

#include "tensor/cuda/verbs.h"

namespace dale::cuda {

/// A string literal as a template argument.
template <std::size_t n>
struct Name {
  char text[n];
  constexpr Name(const char (&literal)[n]) { std::copy_n(literal, n, text); }
};

/// Throws std::runtime_error. Args follow from the entry of the table that it is assigned to.
template <Name verb, class... Args>
[[noreturn]] void missing(Args...) {
  failed("[{}] the CUDA machine does not have this kernel: use --device cpu", verb.text);
}

}  // namespace dale::cuda
