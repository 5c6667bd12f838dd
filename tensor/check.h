// How every chapter says no. Three kinds of failure, three exceptions:
//   invalid  std::invalid_argument   the caller's fault: wrong shape, name or value
//   failed   std::runtime_error      the machine or a file (the message carries its path)
//   broken   std::logic_error        ours
// A message is one sentence: what, where, expected, what to do. It starts with the op in brackets where there
// is one:
//   [conv2d] x (8,3,32,32) has C=3 but w (64,4,3,3) expects C=4
#pragma once

#ifdef __NVCC__
#define FMT_USE_CONSTEXPR 1  // fmt 9 switches it off under nvcc, and then does not compile
#endif
#include <fmt/core.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dale {

/// With '?' for line breaks and other control characters: they come from a file or a name that it quotes.
std::string one_line(std::string message);

template <class... Args> [[noreturn]] void invalid(fmt::format_string<Args...> message, Args&&... args) {
  throw std::invalid_argument(one_line(fmt::format(message, std::forward<Args>(args)...)));
}

template <class... Args> [[noreturn]] void failed(fmt::format_string<Args...> message, Args&&... args) {
  throw std::runtime_error(one_line(fmt::format(message, std::forward<Args>(args)...)));
}

template <class... Args> [[noreturn]] void broken(fmt::format_string<Args...> message, Args&&... args) {
  throw std::logic_error(fmt::format(message, std::forward<Args>(args)...));
}

/// A report to the user on stderr. Never throws: where nobody can read it, the work goes on.
template <class... Args> void say(fmt::format_string<Args...> message, Args&&... args) {
  std::fputs(fmt::format(message, std::forward<Args>(args)...).c_str(), stderr);
}

/// Throws std::invalid_argument: `unknown sampler 'dale-langwin'; did you mean 'dale-langevin'? (known: …)`.
/// The nearest known name is the one at the smallest edit distance.
[[noreturn]] void unknown_name(std::string_view what, std::string_view name,
                               const std::vector<std::string>& known);

/// The row of a table that has this name. Throws as unknown_name.
template <class Table>
const auto& row_named(std::string_view what, std::string_view name, const Table& table) {
  std::vector<std::string> known;
  for (const auto& row : table) {
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  unknown_name(what, name, known);
}

}  // namespace dale
