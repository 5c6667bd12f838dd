// A small classifier of images, LeNet-5 (LeCun et al. 1998) with today's parts: four
// convolutions of 3 × 3, three of which halve the image, each followed by group norm and SiLU; then a layer
// of 64 units whose outputs are the features by which pictures are compared, and one of logits.
//
//   28 × 28 × 1 → 28 × 28 × 16 → 14 × 14 × 32 → 7 × 7 × 48 → 4 × 4 × 32 → 64 features → classes
//
// With ten classes of grey images of 28 × 28 it has 66,266 parameters: 265 kB as float32. Read first:
// layers.h.
#pragma once

#include "nn/layers.h"

namespace dale {

struct LeNet {
  static constexpr Index width = 64;  // of the features

  Shape image;  // (C,H,W)
  std::vector<Conv2d> convolutions;
  std::vector<GroupNorm> norms;
  Linear hidden, logits;

  LeNet(Index classes, Key key, const Shape& image = {1, 28, 28})
      : image(image),
        hidden(32 * eighth(image[1]) * eighth(image[2]), width, key.split(4)),
        logits(width, classes, key.split(5)) {
    Index channels = image[0];
    for (Index out : {16, 32, 48, 32}) {
      const std::size_t i = norms.size();
      convolutions.emplace_back(channels, out, 3, key.split(i), i == 0 ? 1 : 2, 1);
      norms.emplace_back(8, out);
      channels = out;
    }
  }

  /// Pixels (N,C,H,W) in [0,1] → (N,64). Throws std::invalid_argument for images of another shape.
  Var features(const Var& pixels) const {
    if (pixels.rank() != 4 || !(Shape{pixels.dim(1), pixels.dim(2), pixels.dim(3)} == image))
      invalid("[lenet] pixels {} must be images {}", str(pixels.shape()), str(image));
    Var h = 2 * pixels - 1;
    for (std::size_t i = 0; i < norms.size(); ++i) h = norms[i].then_silu(convolutions[i](h));
    return relu(hidden(reshape(h, {h.dim(0), -1})));
  }
  /// (N,classes), of features or of pixels.
  Var classify(const Var& features) const { return logits(features); }
  Var operator()(const Var& pixels) const { return classify(features(pixels)); }

  void visit(const std::string& prefix, const Visit& f) {
    for (std::size_t i = 0; i < norms.size(); ++i) {
      convolutions[i].visit(fmt::format("{}conv{}.", prefix, i + 1), f);
      norms[i].visit(fmt::format("{}norm{}.", prefix, i + 1), f);
    }
    hidden.visit(prefix + "hidden.", f);
    logits.visit(prefix + "logits.", f);
  }

 private:
  static Index eighth(Index side) { return (side + 7) / 8; }  // what three halvings leave, each rounded up
};

}  // namespace dale
