// stb's encoder and decoder of PNG live in this file only, as static functions that work on memory: all
// reading and writing goes through file.h. The decoder believes what a file says of its sizes and compares no
// checksum, so both are looked at before: a PNG is a signature of 8 bytes and chunks
//   length (32 bits, the high byte first), four letters, `length` bytes, checksum of letters and bytes
// from IHDR, which holds width, height, bits a sample and kind of colour, to IEND.
#include "tensor/image.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
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

namespace {

/// Throws unless the chunks fill the file, each with its checksum, and the pixels can be in them: zlib's
/// format makes at most 1032 bytes of one.
void expect_png(std::string_view bytes, const std::string& path) {
  constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
  constexpr std::uint64_t frame = 12, largest_ratio = 1032;
  const auto whole = [&](bool holds, const char* found) {
    if (!holds) failed("{}: {}; expected a whole PNG file", path, found);
  };
  whole(bytes.starts_with(signature), "no PNG signature");
  std::string_view rest = bytes.substr(signature.size()), letters;
  while (letters != "IEND") {
    whole(rest.size() >= frame && big_endian(rest) <= rest.size() - frame, "truncated inside a chunk");
    const std::size_t length = big_endian(rest);
    const std::string_view checked = rest.substr(4, length + 4);
    whole(letters.empty() == checked.starts_with("IHDR"), "its header is not where it must be");
    letters = checked.substr(0, 4);
    whole(std::all_of(letters.begin(), letters.end(), [](unsigned char c) { return std::isalpha(c); }),
          "a chunk's name is not of four letters");
    const auto checksum =
        crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
    whole(checksum == big_endian(rest.substr(length + 8)), "a checksum does not match");
    if (letters == "IHDR") {
      whole(length == 13, "its header is not of 13 bytes");
      const std::uint64_t W = big_endian(checked.substr(4)), H = big_endian(checked.substr(8)),
                          bits = checked[12] & 31;
      constexpr std::uint64_t samples[] = {1, 1, 3, 1, 2, 1, 4, 1};  // a pixel, by the kind of colour
      const std::uint64_t row = W * samples[checked[13] & 7] * bits / 8;
      whole(W > 0 && H > 0 && W <= max_image_side && H <= max_image_side, "empty, or too large");
      whole(row * H <= largest_ratio * bytes.size(), "more pixels than its bytes can hold");
    }
    rest.remove_prefix(length + frame);
  }
  whole(rest.empty(), "trailing bytes");
}

}  // namespace

Tensor png_image(std::string_view bytes, const std::filesystem::path& path) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    failed("{}: {} bytes; expected a PNG of less than 2^31", path.string(), bytes.size());
  expect_png(bytes, path.string());
  int W = 0, H = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()),
                            &W, &H, &channels, 0),
      stbi_image_free);
  if (!pixels) failed("{}: {}; expected a whole PNG file", path.string(), stbi_failure_reason());
  const int colours = channels >= 3 ? 3 : 1;  // the last of an even number is transparency
  Tensor image({1, H, W});
  for (Index i = 0; i < image.size(); ++i) {
    int sum = 0;
    for (int c = 0; c < colours; ++c) sum += pixels.get()[i * channels + c];
    image.data()[i] = static_cast<real>(sum) / static_cast<real>(255 * colours);
  }
  return image;
}

Tensor read_png(const std::filesystem::path& path) { return png_image(read_file(path), path); }

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
