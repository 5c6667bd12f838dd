// Warp matrices for tests: the part of nvcuda::wmma that tensor/cuda uses, in TF32. Each lane keeps both
// factors whole and eight elements of the 16×16 sum.
#pragma once

#include <bit>

#include "tests/emulated/cuda_runtime.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major };
namespace precision {
struct tf32 {};
}  // namespace precision

/// To 10 bits of mantissa, the nearest (ties away from zero, as the instruction does).
inline float __float_to_tf32(float v) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(v);
  if ((bits & 0x7f800000u) == 0x7f800000u) return v;
  return std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u);
}

template <class Use, int m, int n, int k, class T, class Layout = void> struct fragment {
  float whole[16 * 8] = {};
};
template <int m, int n, int k> struct fragment<accumulator, m, n, k, float> { float x[8] = {}; };

template <int m, int n, int k> void fill_fragment(fragment<accumulator, m, n, k, float>& f, float v) {
  for (float& x : f.x) x = v;
}

template <class Use, int m, int n, int k, class Layout, class Place>
void load_matrix_sync(fragment<Use, m, n, k, precision::tf32, Layout>& f, Place p, unsigned ld) {
  __syncwarp();
  constexpr int rows = std::is_same_v<Use, matrix_a> ? m : k, columns = std::is_same_v<Use, matrix_a> ? k : n;
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j)
      f.whole[i * columns + j] = p[std::is_same_v<Layout, row_major> ? i * ld + j : j * ld + i];
}

template <int m, int n, int k, class A, class B>
void mma_sync(fragment<accumulator, m, n, k, float>& d,
              const fragment<matrix_a, m, n, k, precision::tf32, A>& a,
              const fragment<matrix_b, m, n, k, precision::tf32, B>& b,
              const fragment<accumulator, m, n, k, float>& c) {
  __syncwarp();
  const int lane = static_cast<int>(threadIdx.x % emulated::warp_size);
  for (int e = 0; e < 8; ++e) {
    const int i = (8 * lane + e) / n, j = (8 * lane + e) % n;
    float sum = c.x[e];
    for (int l = 0; l < k; ++l)
      sum += __float_to_tf32(a.whole[i * k + l]) * __float_to_tf32(b.whole[l * n + j]);
    d.x[e] = sum;
  }
}

template <int m, int n, int k, class Place>
void store_matrix_sync(Place p, const fragment<accumulator, m, n, k, float>& f, unsigned ld, layout_t) {
  const int lane = static_cast<int>(threadIdx.x % emulated::warp_size);
  for (int e = 0; e < 8; ++e) p[(8 * lane + e) / n * ld + (8 * lane + e) % n] = f.x[e];
  __syncwarp();
}

}  // namespace nvcuda::wmma
