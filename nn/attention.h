// Self-attention among the pixels of an image (Vaswani et al. 2017, with one head; in U-Nets since Ho et al.
// 2020): each pixel is a token that looks at all others,
//   (q, k, v) = W norm(x),   y = x + W' softmax(q kᵀ / √C) v                                        (III.6)
// where W and W' act on the C channels of a pixel. It costs (HW)² products a channel, so it is for small
// images. Read first: layers.h.
#pragma once

#include "nn/layers.h"

namespace dale {

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

}  // namespace dale
