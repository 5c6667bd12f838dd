// The convolution's three kernels as they are promised in tensor/kernels.h: every term of the trilinear form
// T(x,w,y), one after the other. Specification and oracle of conv.cpp and winograd.cpp.
#pragma once

#include "tensor/kernels.h"

namespace dale::cpu {

/// Calls f(ix, iw, iy) with the places of the three factors of each term of T.
template <class F>
void for_terms(const ConvShape& s, const F& f) {
  for (Index n = 0; n < s.N; ++n)
    for (Index i = 0; i < s.OH; ++i)
      for (Index j = 0; j < s.OW; ++j)
        for (Index a = 0; a < s.kh; ++a)
          for (Index b = 0; b < s.kw; ++b) {
            const Index h = i * s.sh - s.ph + a * s.dh, v = j * s.sw - s.pw + b * s.dw;
            if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
            for (Index c = 0; c < s.C; ++c)
              for (Index o = 0; o < s.O; ++o)
                f(((n * s.H + h) * s.W + v) * s.C + c, ((o * s.C + c) * s.kh + a) * s.kw + b,
                  ((n * s.OH + i) * s.OW + j) * s.O + o);
          }
}

inline void conv2d_plain(const ConvShape& s, In x, In w, In shift, In residual, Out y) {
  for (Index i = 0; i < static_cast<Index>(y.size()); ++i) {
    const Index n = i / (s.OH * s.OW * s.O), o = i % s.O;
    y[i] = (residual.empty() ? 0 : residual[i]) +
           (shift.empty() ? 0 : shift[static_cast<Index>(shift.size()) == s.O ? o : n * s.O + o]);
  }
  for_terms(s, [&](Index ix, Index iw, Index iy) { y[iy] += x[ix] * w[iw]; });
}

inline void conv2d_input_plain(const ConvShape& s, In y, In w, Out x) {
  std::fill(x.begin(), x.end(), real(0));
  for_terms(s, [&](Index ix, Index iw, Index iy) { x[ix] += w[iw] * y[iy]; });
}

inline void conv2d_weight_plain(const ConvShape& s, In x, In y, Out w) {
  std::fill(w.begin(), w.end(), real(0));
  for_terms(s, [&](Index ix, Index iw, Index iy) { w[iw] += x[ix] * y[iy]; });
}

}  // namespace dale::cpu
