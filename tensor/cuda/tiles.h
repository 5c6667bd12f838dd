// How a block multiplies a slab: the rungs above the plain kernels (windows.h). A slab of A and one of B lie
// in shared memory; add() adds their product to the sums that threads keep in registers, and each() hands
// these out, some neighbours of a row at a time.
//
//   Lanes         a thread multiplies 4 × 4 or 8 × 4 elements that it read once
//   MatrixUnits   a warp multiplies 16×8 by 8×8 numbers in one instruction, mma.sync. Its factors are TF32,
//                 which has 10 bits of mantissa, its sums float. *Split* gives full precision: v = big +
//                 small, both TF32, leaves out 2⁻²² of v, and
//                   v v′ = small·big′ + big·small′ + big·big′  (+ small·small′, some 2⁻²⁰)
//
//                 The units cut their sums toward zero, which a long sum would feel: eight terms are summed
//                 there and added here, to the nearest (Ootomo and Yokota 2022).
//
// The 32 threads of a warp read 32 different banks: in an array [k][n] of which they read four k that is a
// pitch of 8 mod 32, in one [m][k] a pitch of 4.
#pragma once

#include <bit>

#include "tensor/cuda/launch.h"
#ifdef DALE_EMULATED
#include "mma_tf32.h"  // tests/emulated
#endif

namespace dale::cuda {

constexpr int BK = 128 / sizeof(real);  // terms of a slab

/// A block's tile by lanes: thread t has columns 4 (t % (BN/4)) … + 3 of `rows` rows.
template <bool transposed, int BM, int BN> struct Lanes {
  static constexpr int across = BN / 4, down = threads / across, rows = BM / down;
  static_assert(!transposed || rows % 4 == 0);
  static constexpr int pitch_a = (transposed ? BM : BK) + 4, pitch_b = BN + 4;
  real sum[rows][4] = {};

  static __device__ real rounded(real v) { return v; }
  static __device__ int column() { return static_cast<int>(threadIdx.x) % across * 4; }
  static __device__ int row(int i) {
    const int t = static_cast<int>(threadIdx.x) / across;
    return transposed ? i / 4 * 4 * down + t * 4 + i % 4 : t + i * down;
  }

  /// Adds a slab: a lies as [BM][pitch_a], or transposed as [BK][pitch_a]; b as [BK][pitch_b].
  template <class A, class B> __device__ void add(A& a, B& b) {
#pragma unroll 2
    for (int k = 0; k < BK; k += 4) {
      Vec4<real> left[rows], right[4];  // of row i: terms k … k + 3; transposed, of term l: rows 4i …
#pragma unroll
      for (int i = 0; i < rows; ++i)
        left[i] = four(transposed ? &a[(k + i % 4) * pitch_a + row(i / 4 * 4)] : &a[row(i) * pitch_a + k]);
#pragma unroll
      for (int l = 0; l < 4; ++l) right[l] = four(&b[(k + l) * pitch_b + column()]);
#pragma unroll
      for (int l = 0; l < 4; ++l)
#pragma unroll
        for (int i = 0; i < rows; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j)
            sum[i][j] =
                fma(transposed ? left[i / 4 * 4 + l].v[i % 4] : left[i].v[l], right[l].v[j], sum[i][j]);
    }
  }

  /// f(row, column, sums of neighbouring columns).
  template <class F> __device__ void each(const F& f) const {
#pragma unroll
    for (int i = 0; i < rows; ++i)
      f(row(i), column(), Vec4<real>{sum[i][0], sum[i][1], sum[i][2], sum[i][3]});
  }
};

#ifndef DALE_DOUBLE
#ifndef DALE_EMULATED
/// The nearest number of 10 bits of mantissa; of two, the one further from 0.
__device__ inline float tf32(float v) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __uint_as_float(bits);
}

/// C += A B, one instruction of a warp (PTX ISA: mma.m16n8k8 with .tf32). Of thread t, with g = t/4, p = t%4:
///   A (16×8)   a[0…3] = A[g,p], A[g+8,p], A[g,p+4], A[g+8,p+4]
///   B (8×8)    b[0…1] = B[p,g], B[p+4,g]
///   C (16×8)   c[0…3] = C[g,2p], C[g,2p+1], C[g+8,2p], C[g+8,2p+1]
/// REQUIRES factors that tf32() made, and all 32 threads of the warp.
__device__ inline void mma(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  const auto bits = [](float v) { return __float_as_uint(v); };
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(bits(a[0])), "r"(bits(a[1])), "r"(bits(a[2])), "r"(bits(a[3])), "r"(bits(b[0])), "r"(bits(b[1])));
}
#endif

/// By the matrix units: eight warps, each with `down` × `across` products of 16 × 8.
template <bool transposed, int BM, int BN, bool split> struct MatrixUnits {
  static constexpr int warps_across = BN < 32 ? 1 : 2, warps_down = threads / 32 / warps_across;
  static constexpr int down = BM / warps_down / 16, across = BN / warps_across / 8;
  static_assert(down >= 1 && across >= 1);
  static constexpr int pitch_a = transposed ? BM + 8 : BK + 4, pitch_b = (BN + 31) / 32 * 32 + 8;
  static constexpr int unrolled = split ? 1 : 2;  // of the steps of a slab: what registers hold
  float sum[down][across][4] = {};

  static __device__ real rounded(real v) { return split ? v : tf32(v); }
  /// Of the warp's first product; and within one, which rows and columns are the thread's (mma).
  static __device__ int warp_row() {
    return static_cast<int>(threadIdx.x) / 32 % warps_down * (BM / warps_down);
  }
  static __device__ int warp_column() {
    return static_cast<int>(threadIdx.x) / 32 / warps_down * (BN / warps_across);
  }
  static __device__ int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  static __device__ int place() { return static_cast<int>(threadIdx.x) % 4; }

  /// A thread's n numbers of a factor. Split, big is v cut to 10 bits, so that v − big is exact; the rest is
  /// taken to the nearest. Where v is not finite, big is not, and nor is any product with it.
  template <int n> struct Part {
    float big[n], small[n];
    __device__ void set(int l, float v) {
      constexpr std::uint32_t ten_bits = 0xffffe000, half = 0x1000;
      const auto bits = [](float number) { return std::bit_cast<std::uint32_t>(number); };
      big[l] = split ? std::bit_cast<float>(bits(v) & ten_bits) : v;
      small[l] = split ? std::bit_cast<float>((bits(v - big[l]) + half) & ten_bits) : 0;
    }
  };

  template <class A, class B> __device__ void add(A& a, B& b) {
#pragma unroll unrolled
    for (int k = 0; k < BK; k += 8) {
      Part<4> left[down];
      Part<2> right[across];
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int l = 0; l < 4; ++l) {
          const int m = warp_row() + 16 * i + group() + l % 2 * 8, term = k + place() + l / 2 * 4;
          left[i].set(l, transposed ? a[term * pitch_a + m] : a[m * pitch_a + term]);
        }
#pragma unroll
      for (int j = 0; j < across; ++j)
#pragma unroll
        for (int l = 0; l < 2; ++l)
          right[j].set(l, b[(k + place() + 4 * l) * pitch_b + warp_column() + 8 * j + group()]);
#pragma unroll
      for (int i = 0; i < down; ++i)
#pragma unroll
        for (int j = 0; j < across; ++j) {
          if constexpr (!split) {
            mma(sum[i][j], left[i].big, right[j].big);
            continue;
          }
          float part[4] = {};
          mma(part, left[i].small, right[j].big);
          mma(part, left[i].big, right[j].small);
          mma(part, left[i].big, right[j].big);
#pragma unroll
          for (int l = 0; l < 4; ++l) sum[i][j][l] += part[l];
        }
    }
  }

  template <class F> __device__ void each(const F& f) const {
#pragma unroll
    for (int i = 0; i < down; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int j = 0; j < across; ++j)
          f(warp_row() + 16 * i + group() + 8 * half, warp_column() + 8 * j + 2 * place(),
            Vec<real, 2>{sum[i][j][2 * half], sum[i][j][2 * half + 1]});
  }
};
template <bool transposed, int BM, int BN> using TF32 = MatrixUnits<transposed, BM, BN, false>;
template <bool transposed, int BM, int BN> using SplitTF32 = MatrixUnits<transposed, BM, BN, true>;
#endif

}  // namespace dale::cuda
