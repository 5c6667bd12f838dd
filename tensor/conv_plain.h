// The convolution's three kernels as they are promised in kernels.h, an element of the result as the sum that
// T(x,w,y) says, term by term. Specification and oracle of cpu/conv.cpp and cpu/winograd.cpp, and on CUDA,
// where a thread makes an element, of cuda/windows.h. T is the type of the sum.
#pragma once

#include "tensor/kernels.h"

namespace dale::plain {

template <class T, class Numbers>
DALE_BOTH T conv2d(const ConvShape& s, const Numbers& x, const Numbers& w, const Numbers& shift,
                   const Numbers& residual, Index e) {
  const Index o = e % s.O, j = e / s.O % s.OW, i = e / (s.O * s.OW) % s.OH, n = e / (s.O * s.OW * s.OH);
  T sum = residual.empty() ? 0 : residual[e];
  if (!shift.empty()) sum += shift[std::ssize(shift) == s.O ? o : n * s.O + o];
  for (Index a = 0; a < s.kh; ++a)
    for (Index b = 0; b < s.kw; ++b) {
      const Index h = i * s.sh - s.ph + a * s.dh, v = j * s.sw - s.pw + b * s.dw;
      if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
      for (Index c = 0; c < s.C; ++c)
        sum += T(x[((n * s.H + h) * s.W + v) * s.C + c]) * w[((o * s.C + c) * s.kh + a) * s.kw + b];
    }
  return sum;
}

template <class T, class Numbers>
DALE_BOTH T conv2d_input(const ConvShape& s, const Numbers& y, const Numbers& w, Index e) {
  const Index c = e % s.C, v = e / s.C % s.W, h = e / (s.C * s.W) % s.H, n = e / (s.C * s.W * s.H);
  T sum = 0;
  for (Index a = 0; a < s.kh; ++a)
    for (Index b = 0; b < s.kw; ++b) {
      const Index i = (h + s.ph - a * s.dh) / s.sh, j = (v + s.pw - b * s.dw) / s.sw;
      if (i * s.sh != h + s.ph - a * s.dh || j * s.sw != v + s.pw - b * s.dw) continue;
      if (i < 0 || i >= s.OH || j < 0 || j >= s.OW) continue;
      for (Index o = 0; o < s.O; ++o)
        sum += T(y[((n * s.OH + i) * s.OW + j) * s.O + o]) * w[((o * s.C + c) * s.kh + a) * s.kw + b];
    }
  return sum;
}

template <class T, class Numbers>
DALE_BOTH T conv2d_weight(const ConvShape& s, const Numbers& x, const Numbers& y, Index e) {
  const Index b = e % s.kw, a = e / s.kw % s.kh, c = e / (s.kw * s.kh) % s.C, o = e / (s.kw * s.kh * s.C);
  T sum = 0;
  for (Index n = 0; n < s.N; ++n)
    for (Index i = 0; i < s.OH; ++i)
      for (Index j = 0; j < s.OW; ++j) {
        const Index h = i * s.sh - s.ph + a * s.dh, v = j * s.sw - s.pw + b * s.dw;
        if (h < 0 || h >= s.H || v < 0 || v >= s.W) continue;
        sum += T(x[((n * s.H + h) * s.W + v) * s.C + c]) * y[((n * s.OH + i) * s.OW + j) * s.O + o];
      }
  return sum;
}

}  // namespace dale::plain
