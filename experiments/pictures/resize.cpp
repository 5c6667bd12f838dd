// The matrices are bands: few pixels weigh in a pixel, and only these are kept. Places are whole multiples
// of 1/m or 1/2m, so that weights are rounded once.
#include <algorithm>

#include "experiments/pictures/image.h"

namespace dale {
namespace {

/// A matrix's row: `weights` from column `first` on, 0 elsewhere.
struct Band {
  Index first;
  std::vector<real> weights;
};

/// From n pixels to m, as resized says.
std::vector<Band> resampling(Index n, Index m) {
  const auto over = [](Index a, Index b) { return static_cast<real>(a) / static_cast<real>(b); };
  std::vector<Band> rows;
  for (Index i = 0; i < m; ++i) {
    if (m <= n) {  // in m-ths of a pixel
      const Index begin = i * n, end = begin + n;
      Band row{begin / m, {}};
      for (Index j = row.first; j * m < end; ++j)
        row.weights.push_back(over(std::min((j + 1) * m, end) - std::max(j * m, begin), n));
      rows.push_back(row);
    } else {  // in 2m-ths, from the first pixel's centre
      const Index centre = std::clamp<Index>((2 * i + 1) * n - m, 0, 2 * m * (n - 1));
      const Index part = centre % (2 * m);
      Band row{centre / (2 * m), {over(2 * m - part, 2 * m)}};
      if (part > 0) row.weights.push_back(over(part, 2 * m));
      rows.push_back(row);
    }
  }
  return rows;
}

/// y[o,i,k] = Σ_j A[i,j] x[o,j,k], with j in order, for x (outer,n,inner) and A of n columns.
std::vector<real> along(const std::vector<Band>& A, const std::vector<real>& x, Index n, Index inner) {
  const Index outer = static_cast<Index>(x.size()) / (n * inner), m = static_cast<Index>(A.size());
  std::vector<real> y(static_cast<std::size_t>(outer * m * inner));
  for (Index o = 0; o < outer; ++o)
    for (Index i = 0; i < m; ++i) {
      const real* from = &x[(o * n + A[i].first) * inner];
      real* to = &y[(o * m + i) * inner];
      for (Index k = 0; k < inner; ++k) to[k] = A[i].weights[0] * from[k];
      for (std::size_t j = 1; j < A[i].weights.size(); ++j)
        for (Index k = 0; k < inner; ++k) to[k] += A[i].weights[j] * from[j * inner + k];
    }
  return y;
}

}  // namespace

Tensor resized(const Tensor& images, Index height, Index width) {
  if ((images.rank() != 3 && images.rank() != 4) || images.size() == 0)
    invalid("[resized] pictures have shape (C,H,W) or (N,C,H,W) with none of these 0, not {}",
            str(images.shape()));
  if (std::min(height, width) < 1 || std::max(height, width) > max_image_side)
    invalid("[resized] to {}x{} pixels; each side must have 1 to {}", height, width, max_image_side);
  const Index H = images.dim(-2), W = images.dim(-1);
  if (H == height && W == width) return images;
  const auto rounded = [](Index a, Index b) { return std::max<Index>((2 * a + b) / (2 * b), 1); };
  const bool flat = W * height > H * width;  // wider than the target
  const Index h = flat ? H : rounded(W * height, width), w = flat ? rounded(H * width, height) : W;
  const Index top = (H - h) / 2, left = (W - w) / 2;
  const int rank = images.rank();
  const Tensor window = images.slice(rank - 2, top, top + h).slice(rank - 1, left, left + w);

  Shape shape = images.shape();
  shape[-2] = height;
  shape[-1] = width;
  const std::vector<real> rows = along(resampling(h, height), window.to_vector(), h, w);
  return Tensor(shape, along(resampling(w, width), rows, w, 1));
}

}  // namespace dale
