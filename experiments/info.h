// `dale info`: what this build is and what it finds on this computer.
#pragma once

#include <string>

namespace dale {

/// Version, compiler, processor, BLAS and GPU, as lines of text.
std::string build_info();
/// The same, and the data sets; `data_option` is the value of --data.
std::string info(const std::string& data_option);

}  // namespace dale
