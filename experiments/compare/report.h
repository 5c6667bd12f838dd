// report.html of a comparison: the question, the answer in sentences made from the numbers, and everything
// that supports it. Reads files and computes nothing. Read first: results.h, page.h.
#pragma once

#include "experiments/compare/results.h"

namespace dale {

/// The answer: paragraphs of HTML.
std::string answer(const std::vector<CompareSet>& sets);

/// A page without any outside reference.
std::string report_html(const Comparison& comparison);

/// `dale report OUT`: reads what dale compare left in OUT and writes OUT/report.html, whose path is returned.
/// Throws as read_comparison.
std::filesystem::path write_report(const std::filesystem::path& out);

}  // namespace dale
