// The version. It stands here alone: the Makefile reads it, and tests/lines.sh compares CITATION.cff and
// CHANGELOG.md.
#pragma once

namespace dale {

constexpr const char* version = "0.1.0";

}  // namespace dale
