// What the C++ library of emscripten lacks in Debian 12 (libc++ 14), for the page alone: included before each
// file of its build.
#pragma once

#include <bit>
#include <charconv>
#include <cstdlib>
#include <string>

namespace std {

#ifndef __cpp_lib_bit_cast
template <class To, class From> constexpr To bit_cast(const From& from) {
  return __builtin_bit_cast(To, from);
}
#endif
#if _LIBCPP_VERSION < 200000
inline from_chars_result from_chars(const char* first, const char* last, double& value) {
  const string text(first, last);
  char* end = nullptr;
  value = strtod(text.c_str(), &end);
  return {first + (end - text.c_str()), end == text.c_str() ? errc::invalid_argument : errc()};
}
#endif

}  // namespace std
