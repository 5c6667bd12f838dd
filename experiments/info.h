// `dale info`: what this build is and what it finds on this computer.
#pragma once

#include <string>

namespace dale {

/// Lines of text; `data_option` is the value of --data.
std::string info(const std::string& data_option);

}  // namespace dale
