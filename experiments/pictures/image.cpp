// stb's encoder and decoders live in this file only, as static functions that work on memory: all reading
// and writing goes through file.h, and what is decoded was looked at before (image_whole.cpp).
#include "experiments/pictures/image.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>

#include "autograd/ops.h"
#include "tensor/file.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 14)
// What a damaged JPEG lacks is left as memory was: zeros, so that the same file gives the same picture. And
// no file may end the program.
#define STBI_MALLOC(bytes) std::calloc(1, bytes)
#define STBI_REALLOC(block, bytes) std::realloc(block, bytes)
#define STBI_FREE(block) std::free(block)
#define STBI_ASSERT(condition) ((void)0)
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace dale {

static_assert(STBI_MAX_DIMENSIONS == max_image_side);

std::string png_bytes(const Tensor& image) {
  const Index C = image.rank() == 2 ? 1 : image.rank() == 3 ? image.dim(0) : 0;
  if (C != 1 && C != 3)
    invalid("[png] a picture has shape (1,H,W), (3,H,W) or (H,W), not {}", str(image.shape()));
  const Index H = image.dim(-2), W = image.dim(-1);
  if (H < 1 || W < 1 || H > max_image_side || W > max_image_side)
    invalid("[png] a picture of {}x{} pixels; each side must have 1 to {}", H, W, max_image_side);

  const std::vector<real> values = image.to_vector();
  std::vector<unsigned char> samples;  // the colours of a pixel side by side
  samples.reserve(values.size());
  for (Index p = 0; p < H * W; ++p)
    for (Index c = 0; c < C; ++c) {
      const real v = values[c * H * W + p];
      if (!std::isfinite(v)) invalid("[png] pixel {} is {}; a picture must be finite", p, v);
      samples.push_back(static_cast<unsigned char>(std::lround(std::clamp<real>(v, 0, 1) * 255)));
    }
  int length = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> png(
      stbi_write_png_to_mem(samples.data(), 0, static_cast<int>(W), static_cast<int>(H), static_cast<int>(C),
                            &length),
      std::free);
  if (!png) failed("out of memory for a PNG of {}x{} pixels", H, W);
  return {reinterpret_cast<const char*>(png.get()), static_cast<std::size_t>(length)};
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, png_bytes(image)); }

ImageFile image_of(std::string_view bytes, const std::filesystem::path& path) {
  expect_whole(bytes, path.string());
  const bool png = bytes.starts_with("\x89PNG");
  const char* kind = png ? "PNG" : "JPEG";
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    failed("{}: {} bytes; expected a {} of less than 2^31", path.string(), bytes.size(), kind);
  int W = 0, H = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> samples(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()),
                            &W, &H, &channels, 0),
      stbi_image_free);
  if (!samples) {
    const char* reason =
        stbi_failure_reason();  // a JPEG without one has that of the PNG's decoder, asked first
    if (!reason || (!png && std::string_view(reason) == "bad png sig")) reason = "damaged";
    failed("{}: {}; expected a whole {} file", path.string(), reason, kind);
  }

  constexpr std::size_t depth = 24;  // where a PNG's header has the bits of a sample
  ImageFile file{.pixels = Tensor({channels >= 3 ? 3 : 1, H, W}),
                 .transparent = channels % 2 == 0,  // the last of an even number of channels
                 .deep = png && bytes[depth] == 16};
  real* pixel = file.pixels.data();
  for (int c = 0; c < file.pixels.dim(0); ++c)
    for (Index p = 0; p < Index{H} * W; ++p)
      *pixel++ = static_cast<real>(samples.get()[p * channels + c]) / 255;
  return file;
}

Tensor in_colours(const Tensor& image, Index colours) {
  if (colours != 1 && colours != 3) invalid("[in_colours] {} colours; expected 1 or 3", colours);
  const int axis = image.rank() - 3;
  const Index C = axis == 0 || axis == 1 ? image.dim(axis) : 0;
  if (C < 1 || (colours == 3 && C != 1 && C != 3))
    invalid("[in_colours] pictures have shape (C,H,W) or (N,C,H,W), not {}", str(image.shape()));
  if (C == colours) return image;
  if (colours == 3) {
    Shape shape = image.shape();
    shape[axis] = 3;
    return image.broadcast_to(shape).packed();
  }
  // 255 x is a whole number, with no rounding left, where x came from a byte; so is then their sum, and the
  // mean is the real number nearest to it.
  Var sum = Tensor::full({}, 0);
  for (Index c = 0; c < C; ++c) sum = sum + 255 * Var(image.slice(axis, c, c + 1));
  return (sum / static_cast<real>(255 * C)).value();
}

Tensor read_image(const std::filesystem::path& path, Index colours) {
  return in_colours(image_of(read_file(path), path).pixels, colours);
}

Tensor image_grid(const Tensor& images, Index columns, Index gap, Index zoom) {
  if (images.rank() != 4 || (images.dim(1) != 1 && images.dim(1) != 3) || images.size() == 0)
    invalid("[image_grid] images have shape (N,1,H,W) or (N,3,H,W) with none of these 0, not {}",
            str(images.shape()));
  if (columns < 1 || gap < 0 || zoom < 1 || std::max({columns, gap, zoom}) > max_image_side)
    invalid("[image_grid] columns {}, gap {} and zoom {} must be at least 1, 0 and 1, and at most {}",
            columns, gap, zoom, max_image_side);
  const Index N = images.dim(0), C = images.dim(1), H = images.dim(2), W = images.dim(3);
  const Index rows = (N - 1) / columns + 1;
  const Index GH = rows * (H * zoom + gap) - gap, GW = columns * (W * zoom + gap) - gap;
  if (std::max(GH, GW) > max_image_side)
    invalid("[image_grid] the grid has {}x{} pixels; each side must have at most {}", GH, GW, max_image_side);

  const std::vector<real> pixels = images.to_vector();
  std::vector<real> grid(static_cast<std::size_t>(C * GH * GW), real(1));
  for (Index n = 0; n < N; ++n) {
    const Index top = n / columns * (H * zoom + gap), left = n % columns * (W * zoom + gap);
    for (Index c = 0; c < C; ++c)
      for (Index i = 0; i < H * zoom; ++i)
        for (Index j = 0; j < W * zoom; ++j)
          grid[(c * GH + top + i) * GW + left + j] = pixels[((n * C + c) * H + i / zoom) * W + j / zoom];
  }
  return Tensor({C, GH, GW}, grid);
}

// ---- Animations -----------------------------------------------------------------------------------------
//
// An animated PNG is the PNG of its first frame and chunks that a PNG's reader passes over:
//   acTL  how many frames, how many times (0: for ever)
//   fcTL  before each frame: number, width, height, left, top, seconds as a fraction of two 16-bit numbers,
//         and how to leave and to lay the frame (0: as it is, over all)
//   fdAT  for later frames: number, and what their PNG has in IDAT
// with one numbering of fcTL and fdAT (https://www.w3.org/TR/png-3/#apng-frame-based-animation).

namespace {

/// The number's last `width` bytes, the high one first.
std::string high_first(std::uint32_t number, int width = 4) {
  std::string bytes;
  for (int shift = 8 * width - 8; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

std::string png_chunk(const std::string& letters, const std::string& data) {
  const std::string checked = letters + data;
  const auto checksum = crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
  return high_first(static_cast<std::uint32_t>(data.size())) + checked +
         high_first(static_cast<std::uint32_t>(checksum));
}

}  // namespace

std::string apng_bytes(const std::vector<Tensor>& frames, int milliseconds) {
  if (frames.empty()) invalid("[apng] no frames; expected at least one");
  if (milliseconds < 1 || milliseconds > 0xffff)
    invalid("[apng] {} milliseconds a frame; expected 1 to 65535", milliseconds);
  constexpr int last_frame = 1000;
  // Bytes of a PNG before its width and height, and before its data's chunk; of a chunk but for its data.
  constexpr std::size_t size = 16, head = 33, frame = 12;
  std::string file;
  std::uint32_t number = 0;
  for (std::size_t k = 0; k < frames.size(); ++k) {
    if (frames[k].shape() != frames[0].shape())
      invalid("[apng] frame {} has shape {} and frame 0 {}; expected one shape", k, str(frames[k].shape()),
              str(frames[0].shape()));
    const std::string png = png_bytes(frames[k]);  // its chunks are IHDR, IDAT and IEND
    const std::string data = png.substr(head + 8, png.size() - head - 2 * frame);
    const int shown = k + 1 < frames.size() ? milliseconds : last_frame;
    if (k == 0)
      file = png.substr(0, head) +
             png_chunk("acTL", high_first(static_cast<std::uint32_t>(frames.size())) + high_first(0));
    file += png_chunk("fcTL", high_first(number++) + png.substr(size, 8) + std::string(8, 0) +
                                  high_first(static_cast<std::uint32_t>(shown), 2) + high_first(1000, 2) +
                                  std::string(2, 0));
    file += k == 0 ? png_chunk("IDAT", data) : png_chunk("fdAT", high_first(number++) + data);
  }
  return file + png_chunk("IEND", "");
}

}  // namespace dale
