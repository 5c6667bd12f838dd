// Compiled whenever a source changes, with the digests as macros (Makefile).
#include "experiments/info.h"

namespace dale {

const char* const sampling_sources = DALE_SAMPLING_SOURCES;
const char* const study_sources = DALE_STUDY_SOURCES;

}  // namespace dale
