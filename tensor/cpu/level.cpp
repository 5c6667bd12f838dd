// One binary for every processor of a family: the Makefile compiles the kernels once a level, and the first
// use picks the highest that this processor has. DALE_LEVEL in the environment names a lower one, for tests.
#include "tensor/cpu/level.h"

#include <cstdlib>

#include "tensor/cpu/blas.h"
#include "tensor/kernels.h"

namespace dale {

// DALE_LEVELS(row), from the Makefile, is row(name) for every level compiled, the highest first.
#define DALE_DECLARE(name) extern "C" const Kernels cpu_kernels_##name;
DALE_LEVELS(DALE_DECLARE)
#undef DALE_DECLARE

namespace {

struct Level {
  std::string name;
  const Kernels* table;
};

bool supported([[maybe_unused]] const std::string& name) {
#if defined(__x86_64__)
  if (name == "v4")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (name == "v3") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == "v2") return __builtin_cpu_supports("sse4.2");
#endif
  return true;
}

/// Those that this processor has, the highest first.
std::vector<Level> usable() {
  std::vector<Level> found;
#define DALE_ROW(name) \
  if (supported(#name)) found.push_back({#name, &cpu_kernels_##name});
  DALE_LEVELS(DALE_ROW)
#undef DALE_ROW
  return found;
}

const Level& chosen() {
  static const Level level = [] {
    const std::vector<Level> found = usable();
    if (found.empty()) failed("this processor has no SSE4.2, the least that this build needs");
    const char* asked = std::getenv("DALE_LEVEL");
    if (!asked || !*asked) return found[0];
    for (const Level& l : found)
      if (l.name == asked) return l;
    unknown_name("level of DALE_LEVEL on this processor", asked, cpu::levels());
  }();
  return level;
}

}  // namespace

const Kernels& cpu_kernels() { return *chosen().table; }

std::string cpu::level() { return chosen().name; }

std::vector<std::string> cpu::levels() {
  std::vector<std::string> names;
  for (const Level& l : usable()) names.push_back(l.name);
  return names;
}

bool cpu::fused() {
#if defined(__aarch64__)
  return true;
#else
  return level() == "v4" || level() == "v3";
#endif
}

bool cpu::products_by_openblas() {
  static const bool chosen = [] {
    const char* asked = std::getenv("DALE_PRODUCTS");
    const std::string name = asked && *asked ? asked : "own";
    if (name != "own" && name != "openblas") unknown_name("DALE_PRODUCTS", name, {"own", "openblas"});
    if (name == "openblas") blas::require();
    return name == "openblas";
  }();
  return chosen;
}

std::string cpu::arithmetic() {
  const std::string rounding = fused() ? "fused" : "v2";
  return products_by_openblas() ? rounding + ", products of " + blas::description() : rounding;
}

}  // namespace dale
