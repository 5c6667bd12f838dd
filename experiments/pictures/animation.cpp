// An animated PNG is the PNG of its first frame and chunks that a PNG's reader passes over:
//   acTL  how many frames, how many times (0: for ever)
//   fcTL  before each frame: number, width, height, left, top, seconds as a fraction of two 16-bit numbers,
//         and how to leave and to lay the frame (0: as it is, over all)
//   fdAT  for later frames: number, and what their PNG has in IDAT
// with one numbering of fcTL and fdAT (https://www.w3.org/TR/png-3/#apng-frame-based-animation).
#include "experiments/pictures/animation.h"

#include <zlib.h>

#include <cstdint>
#include <string_view>

#include "experiments/pictures/image.h"
#include "experiments/pictures/image_whole.h"
#include "tensor/check.h"
#include "tensor/file.h"

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
  const auto checksum =
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return high_first(static_cast<std::uint32_t>(data.size())) + checked +
         high_first(static_cast<std::uint32_t>(checksum));
}

}  // namespace

std::string apng_bytes(const std::vector<Tensor>& frames, int milliseconds) {
  if (frames.empty()) invalid("[apng] no frames; expected at least one");
  if (milliseconds < 1 || milliseconds > 0xffff)
    invalid("[apng] {} milliseconds a frame; expected 1 to 65535", milliseconds);
  constexpr int last_frame = 1000;
  std::string file;
  std::uint32_t number = 0;
  for (std::size_t k = 0; k < frames.size(); ++k) {
    if (frames[k].shape() != frames[0].shape())
      invalid("[apng] frame {} has shape {} and frame 0 {}; expected one shape", k, str(frames[k].shape()),
              str(frames[0].shape()));
    const std::string png = png_bytes(frames[k]);
    std::string_view rest = std::string_view(png).substr(png_signature.size());
    for (std::size_t length; !rest.empty(); rest.remove_prefix(length)) {
      length = big_endian(rest) + 12;
      const std::string_view letters = rest.substr(4, 4), data = rest.substr(8, length - 12);
      if (letters == "IHDR") {
        if (k == 0)
          file.append(png_signature).append(rest.substr(0, length)) +=
              png_chunk("acTL", high_first(static_cast<std::uint32_t>(frames.size())) + high_first(0));
        const int shown = k + 1 < frames.size() ? milliseconds : last_frame;
        file += png_chunk("fcTL", high_first(number++) + std::string(data.substr(0, 8)) + std::string(8, 0) +
                                      high_first(static_cast<std::uint32_t>(shown), 2) + high_first(1000, 2) +
                                      std::string(2, 0));
      } else if (letters == "IDAT" && k > 0) {
        file += png_chunk("fdAT", high_first(number++) + std::string(data));
      } else if (letters == "IDAT" || k + 1 == frames.size()) {
        file.append(rest.substr(0, length));
      }
    }
  }
  return file;
}

}  // namespace dale
