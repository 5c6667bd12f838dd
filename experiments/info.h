// `dale info`: what this build is and what it finds on this computer.
#pragma once

#include <string>

namespace dale {

/// Digests of the sources that samples and their values depend on (chapters I to IV, data/, run/, judge/),
/// and of those of studies/ and page/ besides: what is kept in files names them, and is made anew when they
/// change.
extern const char *const sampling_sources, *const study_sources;

/// Version, compiler, processor, BLAS and GPU, as lines of text.
std::string build_info();
/// The same, and the data sets; `data_option` is the value of --data.
std::string info(const std::string& data_option);

}  // namespace dale
