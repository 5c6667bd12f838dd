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
  Conv2d conv1, conv2, conv3, conv4;
  GroupNorm norm1, norm2, norm3, norm4;
  Linear hidden, logits;

  LeNet(Index classes, Key key, const Shape& image = {1, 28, 28})
      : image(image),
        conv1(image[0], 16, 3, key.split(0), 1, 1),
        conv2(16, 32, 3, key.split(1), 2, 1),
        conv3(32, 48, 3, key.split(2), 2, 1),
        conv4(48, 32, 3, key.split(3), 2, 1),
        norm1(8, 16),
        norm2(8, 32),
        norm3(8, 48),
        norm4(8, 32),
        hidden(32 * eighth(image[1]) * eighth(image[2]), width, key.split(4)),
        logits(width, classes, key.split(5)) {}

  /// Pixels (N,C,H,W) in [0,1] → (N,64). Throws std::invalid_argument for images of another shape.
  Var features(const Var& pixels) const {
    if (pixels.rank() != 4 || !(Shape{pixels.dim(1), pixels.dim(2), pixels.dim(3)} == image))
      invalid("[lenet] pixels {} must be images {}", str(pixels.shape()), str(image));
    Var h = norm1.then_silu(conv1(2 * pixels - 1));
    h = norm2.then_silu(conv2(h));
    h = norm3.then_silu(conv3(h));
    h = norm4.then_silu(conv4(h));
    return relu(hidden(reshape(h, {h.dim(0), -1})));
  }
  /// (N,classes), of features or of pixels.
  Var classify(const Var& features) const { return logits(features); }
  Var operator()(const Var& pixels) const { return classify(features(pixels)); }

  void visit(const std::string& prefix, const Visit& f) {
    conv1.visit(prefix + "conv1.", f);
    norm1.visit(prefix + "norm1.", f);
    conv2.visit(prefix + "conv2.", f);
    norm2.visit(prefix + "norm2.", f);
    conv3.visit(prefix + "conv3.", f);
    norm3.visit(prefix + "norm3.", f);
    conv4.visit(prefix + "conv4.", f);
    norm4.visit(prefix + "norm4.", f);
    hidden.visit(prefix + "hidden.", f);
    logits.visit(prefix + "logits.", f);
  }

 private:
  static Index eighth(Index side) { return (side + 7) / 8; }  // what three halvings leave, each rounded up
};

}  // namespace dale
