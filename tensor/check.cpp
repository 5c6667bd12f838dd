// Levenshtein's edit distance, so that a mistyped name is answered with the nearest known one.
#include "tensor/check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace dale {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string one_line(std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
  return message;
}

void unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  if (nearest == known.end()) invalid("unknown {} '{}'", what, name);
  invalid("unknown {} '{}'; did you mean '{}'? (known: {})", what, name, *nearest, fmt::join(known, ", "));
}

}  // namespace dale
