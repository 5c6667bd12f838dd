// Group normalisation with SiLU, forward and backward: the formulas of cpu/norm.cpp. A block takes some
// groups of one image, about 32 channels, side by side in memory. Thread t is at channel t mod `width` and
// walks down the pixels; sums are made a thread each, down the threads of a channel as a tree, then along the
// channels of a group.
#include "tensor/cuda/launch.h"

namespace dale::cuda {
namespace {

constexpr int norm_threads = 1024;  // a block: what keeps enough reads under way for a device's memory

/// What blocks and threads have of images (N,L,C) in G groups.
struct Share {
  Index N, C, L, G;
  int width, groups;   // channels of a group; groups of a block
  int columns, lines;  // channels that a block's threads stand at, and threads of a channel
  __host__ __device__ Index blocks_an_image() const { return (G + groups - 1) / groups; }

  Share(Index N_, Index C_, Index L_, Index G_) : N(N_), C(C_), L(L_), G(G_) {
    width = static_cast<int>(C / G);
    groups = static_cast<int>(std::clamp<Index>(32 / std::max(1, width), 1, G));
    columns = std::min(width * groups, norm_threads);
    lines = norm_threads / std::max(1, columns);
  }
};

/// A block's place: its image, its groups and a thread's first channel and pixel. Where a group has more
/// channels than a block threads, the block has one group and a thread several channels.
struct Place {
  Index n, group, channels, begin;  // channels of the block's groups, from channel `begin`
  int column, line;
  bool idle;  // threads left over

  __device__ explicit Place(const Share& s) {
    const Index blocks = s.blocks_an_image(), t = threadIdx.x;
    n = blockIdx.x / blocks;
    group = blockIdx.x % blocks * s.groups;
    begin = group * s.width;
    channels = s.groups * s.width < s.C - begin ? Index{s.groups} * s.width : s.C - begin;
    column = static_cast<int>(t % s.columns), line = static_cast<int>(t / s.columns);
    idle = line >= s.lines;
  }

  /// Calls f(channel, index of x) for the thread's elements.
  template <class F> __device__ void each(const Share& s, const F& f) const {
    if (idle) return;
    for (Index c = column; c < channels; c += s.columns)
      for (Index l = line; l < s.L; l += s.lines) f(begin + c, (n * s.L + l) * s.C + begin + c);
  }
};

/// Adds the threads' v down each column: partial[column] is the sum. Ends, as it begins, at a barrier.
template <class P> __device__ void sum_columns(const Share& s, const Place& at, real v, P& partial) {
  __syncthreads();
  if (!at.idle) partial[at.line * s.columns + at.column] = v;
  int half = 1;
  while (half < s.lines) half *= 2;
  for (half /= 2; half > 0; half /= 2) {
    __syncthreads();
    if (at.line < half && at.line + half < s.lines) {
      const real other = partial[(at.line + half) * s.columns + at.column];
      partial[at.line * s.columns + at.column] += other;
    }
  }
  __syncthreads();
}

/// The sum of f(column) over the block's g-th group, one after the other.
template <class F> __device__ real over_group(const Share& s, int g, const F& f) {
  const int end = (g + 1) * s.width < s.columns ? (g + 1) * s.width : s.columns;
  real sum = 0;
  for (int c = g * s.width; c < end; ++c) sum += f(c);
  return sum;
}

__device__ bool has_group(const Share& s, const Place& at) {
  return static_cast<int>(threadIdx.x) < s.groups && at.group + threadIdx.x < s.G;
}

__global__ void __launch_bounds__(norm_threads)
    normalise(const __grid_constant__ Share s, real eps, bool silu, Span<const real> x,
              Span<const real> gamma, Span<const real> beta, Span<real> y, Span<real> mean, Span<real> rstd) {
  DALE_SHARED(real, partial, norm_threads);
  DALE_SHARED(real, of_group, 32);  // means
  DALE_SHARED(real, scale, 32);
  const Place at(s);
  const int t = static_cast<int>(threadIdx.x);
  const real M = static_cast<real>(s.width * s.L);
  const auto group_of = [&](Index channel) { return (channel - at.begin) / s.width; };

  real sum = 0;
  at.each(s, [&](Index, Index i) { sum += x[i]; });
  sum_columns(s, at, sum, partial);
  if (has_group(s, at))
    of_group[t] = mean[at.n * s.G + at.group + t] =
        over_group(s, t, [&](int c) { return real(partial[c]); }) / M;
  __syncthreads();
  sum = 0;
  at.each(s, [&](Index c, Index i) {
    const real d = x[i] - of_group[group_of(c)];
    sum += d * d;
  });
  sum_columns(s, at, sum, partial);
  if (has_group(s, at)) {
    const real r = 1 / scalar::sqrt(over_group(s, t, [&](int c) { return real(partial[c]); }) / M + eps);
    scale[t] = rstd[at.n * s.G + at.group + t] = r;
  }
  __syncthreads();
  at.each(s, [&](Index c, Index i) {
    const real z = (x[i] - of_group[group_of(c)]) * scale[group_of(c)] * gamma[c] + beta[c];
    y[i] = silu ? z * scalar::sigmoid(z) : z;
  });
}

/// s1 and s2 (N,C) are the sums S₁ and S₂ of each image.
__global__ void __launch_bounds__(norm_threads)
    differentiate(const __grid_constant__ Share s, bool silu, Span<const real> g, Span<const real> x,
                  Span<const real> gamma, Span<const real> beta, Span<const real> mean, Span<const real> rstd,
                  Span<real> gx, Span<real> s1, Span<real> s2) {
  DALE_SHARED(real, partial, norm_threads);
  DALE_SHARED(real, A, 32);
  DALE_SHARED(real, B, 32);
  const Place at(s);
  const int t = static_cast<int>(threadIdx.x);
  const real M = static_cast<real>(s.width * s.L);
  const auto normal = [&](Index c, Index i) {
    const Index group = at.n * s.G + c / s.width;
    return (x[i] - mean[group]) * rstd[group];
  };
  const auto upstream = [&](Index c, Index i, real hat) {
    return silu ? g[i] * scalar::silu_slope(hat * gamma[c] + beta[c]) : g[i];
  };
  if (has_group(s, at)) A[t] = B[t] = 0;
  // More channels than threads: a round each of `columns` channels, whose group is the block's only one.
  for (Index round = 0; round < at.channels; round += s.columns) {
    const Index c = at.begin + round + at.column;
    const bool mine = !at.idle && round + at.column < at.channels;
    real sum1 = 0, sum2 = 0;
    for (Index l = at.line; mine && l < s.L; l += s.lines) {
      const Index i = (at.n * s.L + l) * s.C + c;
      const real hat = normal(c, i), u = upstream(c, i, hat);
      sum1 += u;
      sum2 += u * hat;
    }
    const auto fold = [&](real sum, Span<real> sums, auto& total) {
      sum_columns(s, at, sum, partial);
      if (mine && at.line == 0) sums[at.n * s.C + c] = partial[at.column];
      const auto weighted = [&](int column) {
        return round + column < at.channels ? gamma[at.begin + round + column] * partial[column] : real(0);
      };
      if (has_group(s, at)) total[t] += over_group(s, t, weighted);
    };
    fold(sum1, s1, A);
    fold(sum2, s2, B);
  }
  __syncthreads();
  at.each(s, [&](Index c, Index i) {
    const real hat = normal(c, i), u = upstream(c, i, hat);
    const Index group = (c - at.begin) / s.width;
    gx[i] = rstd[at.n * s.G + c / s.width] * (gamma[c] * u - (A[group] + hat * B[group]) / M);
  });
}

}  // namespace

void group_norm(Index N, Index C, Index L, Index G, real eps, bool silu, In x, In gamma, In beta, Out y,
                Out mean, Out rstd) {
  const Share s(N, C, L, G);
  launch(normalise, N * s.blocks_an_image(), norm_threads, s, eps, silu, x, gamma, beta, y, mean, rstd);
}

void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, In g, In x, In gamma, In beta,
                         In mean, In rstd, Out gx, Out ggamma, Out gbeta) {
  const Share s(N, C, L, G);
  const Scratch sums(2 * N * C);
  const Out s1 = sums.span().first(static_cast<std::size_t>(N * C)),
            s2 = sums.span().last(static_cast<std::size_t>(N * C));
  launch(differentiate, N * s.blocks_an_image(), norm_threads, s, silu, g, x, gamma, beta, mean, rstd, gx, s1,
         s2);
  reduce(Reduce::sum, {s1.data(), N * C, {C, N}, {1, C}}, 1, gbeta);
  reduce(Reduce::sum, {s2.data(), N * C, {C, N}, {1, C}}, 1, ggamma);
}

}  // namespace dale::cuda
