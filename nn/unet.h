// The score U-Net. A stem; on the way down a residual block per level and a halving convolution between
// levels; one block in the middle; on the way up a block per level, fed with the skip of that level beside
// its input, and nearest-neighbour doubling with a convolution between levels; a head. The time enters every
// block as one number per image and channel.
//
//   block:  h = conv1(silu(norm1 x)) + time(e),   y = conv2(dropout(silu(norm2 h))) + skip(x)       (III.5)
//
// With classes the embedding of the time has that of the label added (III.4); one label more stands for
// "none", so that one network serves with and without labels, as guidance needs (Ho & Salimans 2022).
//
// A block of a level of small images may look farther: there self-attention follows it.
//
// With 32 channels and multipliers (1, 2, 2) it has 706,849 parameters and costs 267 MFLOP of convolution per
// image of 28×28 forward: the reference workload of the benchmarks.
#pragma once

#include <optional>

#include "nn/layers.h"

namespace dale {

/// Self-attention among the pixels of an image (Vaswani et al. 2017, with one head; in U-Nets since Ho et al.
/// 2020): each pixel is a token that looks at all others,
///   (q, k, v) = W norm(x),   y = x + W' softmax(q kᵀ / √C) v                                      (III.6)
/// where W and W' act on the C channels of a pixel. It costs (HW)² products a channel, so it is for small
/// images.
struct SelfAttention {
  GroupNorm norm;
  Conv2d tokens, out;  // 1×1: W of (3C,C), W' of (C,C)

  SelfAttention(Index groups, Index channels, Key key)
      : norm(groups, channels),
        tokens(channels, 3 * channels, 1, key.split(0)),
        out(channels, channels, 1, key.split(1)) {}

  /// x (N,C,H,W) → same shape
  Var operator()(const Var& x) const {
    const Index N = x.dim(0), C = x.dim(1), pixels = x.dim(2) * x.dim(3);
    const Var qkv = permute(reshape(tokens(norm(x)), {N, 3 * C, pixels}), {0, 2, 1});
    const Vars part = split(qkv, {C, C, C}, 2);
    const Var seen = attention(part[0], part[1], part[2]);
    return out.plus(reshape(permute(seen, {0, 2, 1}), x.shape()), x);
  }

  void visit(const std::string& prefix, const Visit& f) {
    norm.visit(prefix + "norm.", f);
    tokens.visit(prefix + "tokens.", f);
    out.visit(prefix + "out.", f);
  }
};

struct ResidualBlock {
  GroupNorm norm1;
  Conv2d conv1;
  Linear time;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> skip;              // 1×1, where the number of channels changes
  std::optional<SelfAttention> attention;  // of y, where the level has it

  ResidualBlock(Index in, Index out, Index time_width, Key key, bool attends = false);
  /// x (N,in,H,W), e (N,time_width) → (N,out,H,W)
  Var operator()(const Var& x, const Var& e, const Dropout& dropout = {}) const;
  void visit(const std::string& prefix, const Visit& f);
};

struct UNetShape {
  Index channels = 32;
  std::vector<Index> multipliers{1, 2, 2};
  Index time_width = 128;
  Index classes = 0;               // 0: no labels
  Index colours = 1;               // of a pixel: 1, or 3
  std::vector<Index> attention{};  // the levels with self-attention; 0 is that of the whole image
};

/// What a network is told beside image and time.
struct Condition {
  IntTensor labels;  // (N), each in [0, classes], with classes for none; undefined: none of them has one
  Dropout dropout;   // in training: rate, and keys of this step for all blocks
};

struct ScoreUNet {
  UNetShape shape;
  Linear time1, time2;
  std::optional<Var> label;  // (classes + 1, time_width)
  Conv2d stem;
  std::vector<ResidualBlock> down;
  std::vector<Conv2d> shrink;
  ResidualBlock middle;
  std::vector<ResidualBlock> up;
  std::vector<Conv2d> grow;
  GroupNorm norm;
  Conv2d head;

  /// Throws std::invalid_argument unless every width is a positive multiple of the 8 groups of its norms, and
  /// for attention at a level that is not there.
  ScoreUNet(const UNetShape& shape, Key key);
  /// How many dropout layers it has, one a block: down, then middle, then up.
  Index dropouts() const { return std::ssize(down) + 1 + std::ssize(up); }
  /// x (N,colours,H,W) with H and W multiples of 2^(levels − 1), t (N) → the same shape
  Var operator()(const Var& x, const Var& t, const Condition& condition = {}) const;
  void visit(const std::string& prefix, const Visit& f);
};

}  // namespace dale
