// The matrix units for tests: mma() of tensor/cuda/tiles.h. A warp's threads bring their parts of the factors
// to one place, wait, and make their own part of the sum: of nine addends, each cut toward zero where the 24
// bits of the largest end, and the sum cut likewise. So the first devices were seen to do; later ones keep
// bits more (Fasi et al. 2021).
#pragma once

#include <bit>
#include <cmath>

#include "tests/emulated/cuda_runtime.h"

namespace dale::cuda {

inline float tf32(float v) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(v);
  if ((bits & 0x7f800000u) == 0x7f800000u) return v;
  return std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u);
}

/// Σ of the addends as above. One that is not finite, or too large a sum, is what it is in plain sums.
inline float cut_sum(const double (&addends)[9]) {
  double largest = 0, plain = 0, sum = 0;
  for (double v : addends) largest = std::max(largest, std::abs(v)), plain += v;
  if (!std::isfinite(static_cast<float>(plain)) || largest == 0) return static_cast<float>(plain);
  const double last_bit = std::ldexp(1.0, std::ilogb(largest) - 23);
  for (double v : addends) sum += std::trunc(v / last_bit) * last_bit;
  const float nearest = static_cast<float>(sum);
  return std::abs(static_cast<double>(nearest)) > std::abs(sum) ? std::nextafterf(nearest, 0) : nearest;
}

inline void mma(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  struct Factors {
    float A[16][8], B[8][8];
  };
  // Two in turn: who is a step ahead writes to the one that nobody reads any more.
  static Factors of_warps[1024 / emulated::warp_size][2];
  const unsigned warp = threadIdx.x / emulated::warp_size, lane = threadIdx.x % emulated::warp_size;
  Factors& f = of_warps[warp][emulated::Block::current().warp_phase[warp] % 2];
  const unsigned g = lane / 4, p = lane % 4;
  for (float v : {a[0], a[1], a[2], a[3], b[0], b[1]})
    if (std::bit_cast<std::uint32_t>(v) != std::bit_cast<std::uint32_t>(tf32(v)) && v == v)
      throw emulated::fault("a factor of the matrix units is not rounded to TF32");
  for (unsigned l = 0; l < 4; ++l) f.A[g + l % 2 * 8][p + l / 2 * 4] = a[l];
  for (unsigned l = 0; l < 2; ++l) f.B[p + 4 * l][g] = b[l];
  __syncwarp();
  for (unsigned l = 0; l < 4; ++l) {
    double addends[9] = {static_cast<double>(c[l])};
    for (unsigned k = 0; k < 8; ++k)
      addends[k + 1] =
          static_cast<double>(f.A[g + l / 2 * 8][k]) * static_cast<double>(f.B[k][2 * p + l % 2]);
    c[l] = cut_sum(addends);
  }
}

}  // namespace dale::cuda
