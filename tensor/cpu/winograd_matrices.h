// The matrices A, B and G of Winograd's convolution (winograd.cpp) as steps on registers of channels: each
// takes a row or a column of pixels, taps or values to another.
#pragma once

#include "tensor/cpu/lanes.h"

namespace dale::cpu::winograd {

// The points ±p, ±q: at ±11/16, ±11/8 rounding errors are half of those at the usual ±1, ±2, and all of their
// powers here are exact.
constexpr real p = 0.6875, q = 1.375, pp = p * p, qq = q * q;
// What G divides by, Π (point − other point): at 0, ±p, ±q.
constexpr real at_0 = pp * qq, at_p = 2 * pp * (pp - qq), at_q = 2 * qq * (qq - pp);

/// a b + c for a number a.
inline Lanes plus(real a, const Lanes& b, const Lanes& c) { return multiply_add(splat(a), b, c); }

/// Bᵀ: a row of six pixels.
inline void window(const Lanes (&d)[6], Lanes (&v)[6]) {
  const Lanes even_p = plus(-qq, d[2], d[4]), odd_p = plus(-qq, d[1], d[3]);
  const Lanes even_q = plus(-pp, d[2], d[4]), odd_q = plus(-pp, d[1], d[3]);
  v[0] = plus(at_0, d[0], plus(-(pp + qq), d[2], d[4]));
  v[1] = plus(p, odd_p, even_p);
  v[2] = plus(-p, odd_p, even_p);
  v[3] = plus(q, odd_q, even_q);
  v[4] = plus(-q, odd_q, even_q);
  v[5] = plus(at_0, d[1], plus(-(pp + qq), d[3], d[5]));
}

/// G: three taps; and its adjoint Gᵀ.
inline void taps(const Lanes (&w)[3], Lanes (&u)[6]) {
  const Lanes even_p = plus(pp, w[2], w[0]) * (1 / at_p), odd_p = w[1] * (p / at_p);
  const Lanes even_q = plus(qq, w[2], w[0]) * (1 / at_q), odd_q = w[1] * (q / at_q);
  u[0] = w[0] * (1 / at_0);
  u[1] = even_p + odd_p;
  u[2] = even_p - odd_p;
  u[3] = even_q + odd_q;
  u[4] = even_q - odd_q;
  u[5] = w[2];
}
inline void taps_adjoint(const Lanes (&u)[6], Lanes (&w)[3]) {
  const Lanes even_p = (u[1] + u[2]) * (1 / at_p), odd_p = (u[1] - u[2]) * (p / at_p);
  const Lanes even_q = (u[3] + u[4]) * (1 / at_q), odd_q = (u[3] - u[4]) * (q / at_q);
  w[0] = plus(1 / at_0, u[0], even_p + even_q);
  w[1] = odd_p + odd_q;
  w[2] = plus(pp, even_p, plus(qq, even_q, u[5]));
}

/// A: four pixels of a tile; and its adjoint Aᵀ.
inline void tile(const Lanes (&y)[4], Lanes (&m)[6]) {
  const Lanes even_p = plus(pp, y[2], y[0]), odd_p = plus(pp, y[3], y[1]);
  const Lanes even_q = plus(qq, y[2], y[0]), odd_q = plus(qq, y[3], y[1]);
  m[0] = y[0];
  m[1] = plus(p, odd_p, even_p);
  m[2] = plus(-p, odd_p, even_p);
  m[3] = plus(q, odd_q, even_q);
  m[4] = plus(-q, odd_q, even_q);
  m[5] = y[3];
}
inline void tile_adjoint(const Lanes (&m)[6], Lanes (&y)[4]) {
  const Lanes even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
  y[0] = m[0] + even_p + even_q;
  y[1] = plus(p, odd_p, q * odd_q);
  y[2] = plus(pp, even_p, qq * even_q);
  y[3] = plus(p * pp, odd_p, plus(q * qq, odd_q, m[5]));
}

/// out = F in Fᵀ for the matrix F (To,From) that `step` multiplies by, down the columns, then along the rows:
/// reads in[i][j] by get(i, j) and hands out[i][j] to put(i, j, value).
template <int To, int From, class Step, class Get, class Put>
inline void both_axes(const Step& step, const Get& get, const Put& put) {
  Lanes half[To][From];
  DALE_UNROLL for (int j = 0; j < From; ++j) {
    Lanes column[From], done[To];
    DALE_UNROLL for (int i = 0; i < From; ++i) column[i] = get(i, j);
    step(column, done);
    DALE_UNROLL for (int i = 0; i < To; ++i) half[i][j] = done[i];
  }
  DALE_UNROLL for (int i = 0; i < To; ++i) {
    Lanes row[To];
    step(half[i], row);
    DALE_UNROLL for (int j = 0; j < To; ++j) put(i, j, row[j]);
  }
}

}  // namespace dale::cpu::winograd
