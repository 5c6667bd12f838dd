// The score U-Net as its parameters tell it: a visit names each of them in order, and those whose names begin
// alike are one layer, or one residual block.
#include "nn/unet.h"

using namespace dale;

int main() {
  ScoreUNet network({.channels = 16}, Key{1});  // multipliers 1, 2, 2; time width 128
  std::vector<std::pair<std::string, Index>> layers;
  Index total = 0;
  for (const NamedParameter& p : parameters(network)) {
    const std::size_t dot = p.name.find('.');
    const bool numbered = p.name[dot + 1] >= '0' && p.name[dot + 1] <= '9';  // down.0.conv1.weight
    const std::string layer = p.name.substr(0, numbered ? p.name.find('.', dot + 1) : dot);
    if (layers.empty() || layers.back().first != layer) layers.push_back({layer, 0});
    layers.back().second += p.parameter->size();
    total += p.parameter->size();
  }
  for (const auto& [name, size] : layers) fmt::print("{:<9}{:>7}\n", name, size);
  fmt::print("{:<9}{:>7}\n", "all", total);

  const Var y = network(normal(Key{2}, {5, 1, 28, 28}), normal(Key{3}, {5}));
  fmt::print("(5,1,28,28) -> {}\n", str(y.shape()));
}
