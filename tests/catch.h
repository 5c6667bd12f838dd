// Catch2 3 (Debian 13) under the names of Catch2 2 (Debian 12), which the tests use.
#pragma once

#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

using Catch::Approx;
namespace Catch {
inline auto Contains(const std::string& part) { return Matchers::ContainsSubstring(part); }
}  // namespace Catch
#endif

using Catch::Contains;

// {.steps = 3}: the other options have their defaults.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/// That an expression throws, and says this in one line.
#define REFUSES(expression, message) CHECK_THROWS_WITH(expression, Contains(message) && !Contains("\n"))
