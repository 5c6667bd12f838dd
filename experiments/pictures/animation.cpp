// An animated PNG is the PNG of its first frame and chunks that a PNG's reader passes over:
//   acTL  how many frames, how many times (0: for ever)
//   fcTL  before each frame: number, width, height, left, top, seconds as a fraction of two 16-bit numbers,
//         and how to leave and to lay the frame (0: as it is, over all)
//   fdAT  for later frames: number, and what their PNG has in IDAT
// with one numbering of fcTL and fdAT (https://www.w3.org/TR/png-3/#apng-frame-based-animation).
#include <zlib.h>

#include <cstdint>

#include "experiments/pictures/image.h"

namespace dale {
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
