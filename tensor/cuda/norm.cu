// Group normalisation with SiLU, forward and backward: the formulas of cpu/norm.cpp. A block takes some
// groups of one image, side by side in memory: 32 channels or half of them. A thread stays at V channels of
// one group, which it reads at once, and walks down the pixels; sums are made a thread each, down the threads
// of a channel as a tree, then along the channels of a group.
#include "tensor/cuda/launch.h"

namespace dale::cuda {
namespace {

constexpr int norm_threads = 512;  // of a block at most, so that a multiprocessor has two blocks

template <int V> using Channels = Vec<real, V>;  // of neighbouring channels

/// An array, V numbers at a time: at once where it begins so that they can be, which changes no sum.
template <class T, int V> struct Rows {
  Span<T> x;
  bool together;

  explicit Rows(std::span<T> all) : x(all), together(aligned<real, V>(all.data())) {}
  __device__ Channels<V> operator[](Index i) const {
    if (together) return at_once<V>(x, V * i);
    Channels<V> c;
    for (int k = 0; k < V; ++k) c.v[k] = x[V * i + k];
    return c;
  }
  __device__ void put(Index i, const Channels<V>& c) const {
    if (together)
      at_once<V>(x, V * i) = c;
    else
      for (int k = 0; k < V; ++k) x[V * i + k] = c.v[k];
  }
};

/// What blocks and threads have of images (N,L,C) in G groups. A channel here is V of them together.
struct Share {
  Index C, L, G;
  int width, groups;   // channels of a group; groups of a block
  int columns, lines;  // channels that a block's threads stand at, and threads of a channel
  Index step;          // from a thread's pixel to its next

  Share(int V, Index channels, Index L_, Index G_) : C(channels / V), L(L_), G(G_) {
    width = static_cast<int>(C / G);
    groups = static_cast<int>(std::clamp<Index>(std::min<Index>(32 / V, C / 2) / width, 1, G));
    columns = std::min(width * groups, norm_threads);
    lines = static_cast<int>(std::clamp<Index>(L, 1, norm_threads / columns));
    step = lines * C;
  }
  int threads() const { return columns * lines; }
  __host__ __device__ Index blocks_an_image() const { return (G + groups - 1) / groups; }
};

/// A block's place: its image, its groups and a thread's first channel and pixel. Where a group has more
/// channels than a block threads, the block has one group and a thread several channels.
struct Place {
  Index n, group, channels, begin;  // channels of the block's groups, from channel `begin`
  int column, line, mine;           // the thread's group, of the block's

  __device__ explicit Place(const Share& s) {
    const Index blocks = s.blocks_an_image();
    n = blockIdx.x / blocks;
    group = blockIdx.x % blocks * s.groups;
    begin = group * s.width;
    channels = s.groups * s.width < s.C - begin ? Index{s.groups} * s.width : s.C - begin;
    line = static_cast<int>(threadIdx.x) / s.columns;
    column = static_cast<int>(threadIdx.x) - line * s.columns;
    mine = column / s.width;
  }

  /// Calls f(index of x) for the thread's pixels of the block's channel c.
  template <class F> __device__ void pixels(const Share& s, Index c, const F& f) const {
    const Index end = (n + 1) * s.L * s.C;
    for (Index i = (n * s.L + line) * s.C + begin + c; i < end; i += s.step) f(i);
  }
};

/// Adds the threads' v down each column: partial[column] is the sum.
template <class T, class P> __device__ void sum_columns(const Share& s, const Place& at, T v, P& partial) {
  const auto add = [](const T& a, const T& b) { return a + b; };
  combine_lanes(add, at.line, s.lines, s.columns, v, partial);
}

/// Calls f(column) for the columns of the block's g-th group.
template <class F> __device__ void over_group(const Share& s, int g, const F& f) {
  const int end = (g + 1) * s.width < s.columns ? (g + 1) * s.width : s.columns;
  for (int c = g * s.width; c < end; ++c) f(c);
}

__device__ bool has_group(const Share& s, const Place& at) {
  return static_cast<int>(threadIdx.x) < s.groups && at.group + threadIdx.x < s.G;
}

template <int V>
__global__ void __launch_bounds__(norm_threads, 2)
    normalise(const __grid_constant__ Share s, real eps, bool silu, Rows<const real, V> x,
              Rows<const real, V> gamma, Rows<const real, V> beta, Rows<real, V> y, Span<real> mean,
              Span<real> rstd) {
  DALE_SHARED(real, partial, norm_threads);
  DALE_SHARED(real, centre, 32);  // of a group
  DALE_SHARED(real, scale, 32);
  const Place at(s);
  const int t = static_cast<int>(threadIdx.x);
  const real M = static_cast<real>(V * s.width * s.L);
  const auto mean_of_group = [&](real sum) {
    sum_columns(s, at, sum, partial);
    real total = 0;
    if (has_group(s, at)) over_group(s, t, [&](int c) { total += partial[c]; });
    return total / M;
  };

  real sum = 0;
  for (Index c = at.column; c < at.channels; c += s.columns)
    at.pixels(s, c, [&](Index i) {
      const Channels<V> in = x[i];
      for (int k = 0; k < V; ++k) sum += in.v[k];
    });
  const real mu = mean_of_group(sum);
  if (has_group(s, at)) centre[t] = mean[at.n * s.G + at.group + t] = mu;
  __syncthreads();
  sum = 0;
  for (Index c = at.column; c < at.channels; c += s.columns) {
    const real m = centre[at.mine];
    at.pixels(s, c, [&](Index i) {
      const Channels<V> in = x[i];
      for (int k = 0; k < V; ++k) sum += (in.v[k] - m) * (in.v[k] - m);
    });
  }
  const real variance = mean_of_group(sum);
  if (has_group(s, at)) scale[t] = rstd[at.n * s.G + at.group + t] = 1 / scalar::sqrt(variance + eps);
  __syncthreads();
  for (Index c = at.column; c < at.channels; c += s.columns) {
    const real m = centre[at.mine], r = scale[at.mine];
    const Channels<V> ga = gamma[at.begin + c], be = beta[at.begin + c];
    at.pixels(s, c, [&](Index i) {
      Channels<V> z = x[i];
      for (int k = 0; k < V; ++k) {
        z.v[k] = (z.v[k] - m) * r * ga.v[k] + be.v[k];
        if (silu) z.v[k] *= scalar::sigmoid(z.v[k]);
      }
      y.put(i, z);
    });
  }
}

/// sums (N,C): S₁ of V channels and then their S₂.
template <int V>
__global__ void __launch_bounds__(norm_threads, 2)
    differentiate(const __grid_constant__ Share s, bool silu, Rows<const real, V> g, Rows<const real, V> x,
                  Rows<const real, V> gamma, Rows<const real, V> beta, Span<const real> mean,
                  Span<const real> rstd, Rows<real, V> gx, Span<Channels<2 * V>> sums) {
  DALE_SHARED(Channels<2 * V>, partial, norm_threads);
  DALE_SHARED(real, A, 32);
  DALE_SHARED(real, B, 32);
  const Place at(s);
  const int t = static_cast<int>(threadIdx.x);
  const real M = static_cast<real>(V * s.width * s.L);
  const auto pixels = [&](Index c, const auto& f) {  // f(index, k, x̂, u)
    const Index of = at.n * s.G + at.group + at.mine;
    const real m = mean[of], r = rstd[of];
    const Channels<V> ga = gamma[at.begin + c], be = beta[at.begin + c];
    at.pixels(s, c, [&](Index i) {
      const Channels<V> in = x[i];
      Channels<V> u = g[i], hat;
      for (int k = 0; k < V; ++k) {
        hat.v[k] = (in.v[k] - m) * r;
        if (silu) u.v[k] *= scalar::silu_slope(hat.v[k] * ga.v[k] + be.v[k]);
      }
      f(i, hat, u);
    });
  };
  real a = 0, b = 0;  // A and B of the block's t-th group
  // More channels than threads: a round each of `columns` channels, whose group is the block's only one.
  for (Index round = 0; round < at.channels; round += s.columns) {
    const Index c = round + at.column;
    Channels<2 * V> sum{};
    if (c < at.channels)
      pixels(c, [&](Index, const Channels<V>& hat, const Channels<V>& u) {
        for (int k = 0; k < V; ++k) {
          sum.v[k] += u.v[k];
          sum.v[V + k] += u.v[k] * hat.v[k];
        }
      });
    sum_columns(s, at, sum, partial);
    if (c < at.channels && at.line == 0) sums[at.n * s.C + at.begin + c] = partial[at.column];
    if (!has_group(s, at)) continue;
    over_group(s, t, [&](int column) {
      if (round + column >= at.channels) return;
      const Channels<V> ga = gamma[at.begin + round + column];
      const Channels<2 * V> of = partial[column];
      for (int k = 0; k < V; ++k) {
        a += ga.v[k] * of.v[k];
        b += ga.v[k] * of.v[V + k];
      }
    });
  }
  if (has_group(s, at)) A[t] = a / M, B[t] = b / M;
  __syncthreads();
  for (Index c = at.column; c < at.channels; c += s.columns) {
    const real r = rstd[at.n * s.G + at.group + at.mine], constant = A[at.mine], slope = B[at.mine];
    const Channels<V> ga = gamma[at.begin + c];
    pixels(c, [&](Index i, const Channels<V>& hat, const Channels<V>& u) {
      Channels<V> out;
      for (int k = 0; k < V; ++k) out.v[k] = r * (ga.v[k] * u.v[k] - (constant + hat.v[k] * slope));
      gx.put(i, out);
    });
  }
}

/// ∂L/∂β = Σ S₁ and ∂L/∂γ = Σ S₂ over the images: the pixels of one image here, each channel a group.
template <int V>
__global__ void __launch_bounds__(norm_threads, 2)
    add_images(const __grid_constant__ Share s, Span<const Channels<2 * V>> sums, Span<real> ggamma,
               Span<real> gbeta) {
  DALE_SHARED(Channels<2 * V>, partial, norm_threads);
  const Place at(s);
  Channels<2 * V> sum{};
  if (at.column < at.channels) at.pixels(s, at.column, [&](Index i) { sum = sum + sums[i]; });
  sum_columns(s, at, sum, partial);
  if (at.line > 0 || at.column >= at.channels) return;
  sum = partial[at.column];
  for (int k = 0; k < V; ++k) {
    gbeta[(at.begin + at.column) * V + k] = sum.v[k];
    ggamma[(at.begin + at.column) * V + k] = sum.v[V + k];
  }
}

/// Calls f<V> for the most channels that threads read at once, groups being of `width` channels.
template <class F> void with_channels(Index width, const F& f) {
  width % 4 == 0 ? f(std::integral_constant<int, 4>{}) : f(std::integral_constant<int, 1>{});
}

}  // namespace

void group_norm(Index N, Index C, Index L, Index G, real eps, bool silu, In x, In gamma, In beta, Out y,
                Out mean, Out rstd) {
  with_channels(C / G, [&](auto v) {
    constexpr int V = v;
    using R = Rows<const real, V>;
    const Share s(V, C, L, G);
    launch(normalise<V>, N * s.blocks_an_image(), s.threads(), s, eps, silu, R(x), R(gamma), R(beta),
           Rows<real, V>(y), mean, rstd);
  });
}

void group_norm_gradient(Index N, Index C, Index L, Index G, bool silu, In g, In x, In gamma, In beta,
                         In mean, In rstd, Out gx, Out ggamma, Out gbeta) {
  with_channels(C / G, [&](auto v) {
    constexpr int V = v;
    using R = Rows<const real, V>;
    const Share s(V, C, L, G), images(V, C, N, C / V);
    const Scratch scratch(2 * N * C);
    const std::span sums(reinterpret_cast<Channels<2 * V>*>(scratch.data()),
                         static_cast<std::size_t>(N * C / V));
    launch(differentiate<V>, N * s.blocks_an_image(), s.threads(), s, silu, R(g), R(x), R(gamma), R(beta),
           mean, rstd, Rows<real, V>(gx), sums);
    launch(add_images<V>, images.blocks_an_image(), images.threads(), images, sums, ggamma, gbeta);
  });
}

}  // namespace dale::cuda
