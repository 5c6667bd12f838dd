// stb's encoder and decoder of PNG live in this file only, as static functions that work on memory: all
// reading and writing goes through file.h.
#include "tensor/image.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include "tensor/check.h"
#include "tensor/file.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 14)
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace dale {

static_assert(STBI_MAX_DIMENSIONS == max_image_side);

std::string png_bytes(const Tensor& image) {
  if (image.rank() != 2 && !(image.rank() == 3 && image.dim(0) == 1))
    invalid("[png] a picture has shape (1,H,W) or (H,W), not {}", str(image.shape()));
  const Index H = image.dim(-2), W = image.dim(-1);
  if (H < 1 || W < 1 || H > max_image_side || W > max_image_side)
    invalid("[png] a picture of {}x{} pixels; each side must have 1 to {}", H, W, max_image_side);

  std::vector<unsigned char> pixels;
  pixels.reserve(static_cast<std::size_t>(H * W));
  for (real v : image.to_vector()) {
    if (!std::isfinite(v)) invalid("[png] pixel {} is {}; a picture must be finite", pixels.size(), v);
    pixels.push_back(static_cast<unsigned char>(std::lround(std::clamp<real>(v, 0, 1) * 255)));
  }
  int length = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> png(
      stbi_write_png_to_mem(pixels.data(), 0, static_cast<int>(W), static_cast<int>(H), 1, &length),
      std::free);
  if (!png) failed("out of memory for a PNG of {}x{} pixels", H, W);
  return {reinterpret_cast<const char*>(png.get()), static_cast<std::size_t>(length)};
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, png_bytes(image)); }

Tensor read_png(const std::filesystem::path& path) {
  const std::string file = read_file(path);
  if (file.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    failed("{}: {} bytes; expected a PNG of less than 2^31", path.string(), file.size());
  int W = 0, H = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(file.data()), static_cast<int>(file.size()), &W,
                            &H, &channels, 1),
      stbi_image_free);
  if (!pixels) failed("{}: {}; expected a whole PNG file", path.string(), stbi_failure_reason());
  Tensor image({1, H, W});
  std::transform(pixels.get(), pixels.get() + image.size(), image.data(),
                 [](stbi_uc p) { return p / real(255); });
  return image;
}

Tensor image_grid(const Tensor& images, Index columns, Index gap, Index zoom) {
  if (images.rank() != 4 || images.dim(1) != 1 || images.size() == 0)
    invalid("[image_grid] images have shape (N,1,H,W) with none of these 0, not {}", str(images.shape()));
  if (columns < 1 || gap < 0 || zoom < 1 || std::max({columns, gap, zoom}) > max_image_side)
    invalid("[image_grid] columns {}, gap {} and zoom {} must be at least 1, 0 and 1, and at most {}",
            columns, gap, zoom, max_image_side);
  const Index N = images.dim(0), H = images.dim(2), W = images.dim(3);
  const Index rows = (N - 1) / columns + 1;
  const Index GH = rows * (H * zoom + gap) - gap, GW = columns * (W * zoom + gap) - gap;
  if (std::max(GH, GW) > max_image_side)
    invalid("[image_grid] the grid has {}x{} pixels; each side must have at most {}", GH, GW, max_image_side);

  const std::vector<real> pixels = images.to_vector();
  std::vector<real> grid(static_cast<std::size_t>(GH * GW), real(1));
  for (Index n = 0; n < N; ++n) {
    const Index top = n / columns * (H * zoom + gap), left = n % columns * (W * zoom + gap);
    for (Index i = 0; i < H * zoom; ++i)
      for (Index j = 0; j < W * zoom; ++j)
        grid[(top + i) * GW + left + j] = pixels[(n * H + i / zoom) * W + j / zoom];
  }
  return Tensor({1, GH, GW}, grid);
}

}  // namespace dale
