// What dale_numbers of experiments/browser/sampler.cpp answers, from the native library.
#include <nlohmann/json.hpp>

#include "tensor/draw.h"

int main() {
  using namespace dale;
  constexpr Index n = 4096;
  std::vector<std::uint32_t> bits;
  for (real z : normal(Key{7}, {n}).to_vector()) bits.push_back(std::bit_cast<std::uint32_t>(z));
  fmt::print(
      "{}\n",
      nlohmann::json{{"integers", integers(Key{7}, {n}, 0, 1000).to_vector()}, {"normals", bits}}.dump());
}
