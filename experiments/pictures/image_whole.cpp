// Whether a picture's file is whole. The decoders (image.cpp) believe what a file says of its sizes and of
// its tables, compare no checksum and make up what is missing, so all of that is looked at before.
//
// A PNG is a signature of 8 bytes and chunks
//   length (32 bits, the high byte first), four letters, `length` bytes, checksum of letters and bytes
// from IHDR, which holds width, height, bits a sample and kind of colour, to IEND.
//
// A JPEG is FF D8, segments
//   FF, marker, length (16 bits, itself included), length − 2 bytes
// and FF D9; FF may be repeated. Markers are named by their last byte. The frame C0, C1 or C2 holds height,
// width and how densely each colour is sampled, C4 tables of codes, and DA begins a scan: after its segment,
// up to the next marker, lies coded data, in which FF is written as FF 00, and FF D0 … FF D7 are places to
// start anew.
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "experiments/pictures/image.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n", jpeg_signature = "\xff\xd8\xff";

/// Chunks fill the file, each with its checksum, to a single picture whose pixels can be in them.
void expect_png(std::string_view bytes, const std::string& path) {
  constexpr std::uint64_t frame = 12, largest_ratio = 1032;  // zlib's format makes so many bytes of one
  const auto whole = [&](bool holds, const char* found) {
    if (!holds) failed("{}: {}; expected a whole PNG file", path, found);
  };
  std::string_view rest = bytes.substr(png_signature.size()), letters;
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
    if (letters == "acTL") failed("{}: an animation; expected a PNG of a single picture", path);
    if (letters == "IHDR") {
      whole(length == 13, "its header is not of 13 bytes");
      const std::uint64_t W = big_endian(checked.substr(4)), H = big_endian(checked.substr(8)),
                          bits = checked[12] & 31;
      constexpr std::uint64_t samples[] = {1, 1, 3, 1, 2, 1, 4, 1};  // a pixel, by the kind of colour
      const std::uint64_t row = 1 + (W * samples[checked[13] & 7] * bits + 7) / 8;
      whole(W > 0 && H > 0 && W <= max_image_side && H <= max_image_side, "empty, or too large");
      whole(row * H <= largest_ratio * bytes.size(), "more pixels than its bytes can hold");
    }
    rest.remove_prefix(length + frame);
  }
  whole(rest.empty(), "trailing bytes");
}

/// Segments lead to the mark of the end, with tables that are some, a frame of grey or of three colours, each
/// of these in a scan, and blocks that can be in the scans. Bytes after the end are left alone: cameras
/// append to it.
class JpegWalk {
 public:
  JpegWalk(std::string_view bytes, const std::string& path) : rest_(bytes.substr(2)), path_(path) {}

  void to_the_end() {
    for (unsigned marker = next_marker(); marker != 0xd9; marker = next_marker()) {
      whole(marker > 1 && (marker < 0xd0 || marker > 0xd8), "a marker out of place");
      whole(rest_.size() >= 2 && number(rest_, 0) <= rest_.size(), "ends early");
      const std::size_t length = number(rest_, 0);
      whole(length >= 2, "a segment shorter than its length");
      const std::string_view segment = rest_.substr(2, length - 2);
      rest_.remove_prefix(length);
      if (marker == 0xc4) expect_tables(segment);
      if (marker == 0xc0 || (marker > 0xc0 && marker <= 0xcf && marker % 4)) read_frame(marker, segment);
      if (marker == 0xda) read_scan(segment);
    }
    whole(!colours_.empty(), "no frame");
    for (char c : colours_) whole(seen_.find(c) != seen_.npos, "a colour without a scan");
    whole(blocks_ <= 8 * coded_, "more pixels than its bytes can hold");
  }

 private:
  void whole(bool holds, const char* found) const {
    if (!holds) failed("{}: {}; expected a whole JPEG file", path_, found);
  }
  static unsigned byte(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }
  static unsigned number(std::string_view bytes, std::size_t i) {
    return byte(bytes, i) << 8 | byte(bytes, i + 1);
  }

  unsigned next_marker() {
    const std::size_t at = rest_.find_first_not_of('\xff', std::min(rest_.find('\xff'), rest_.size()));
    whole(at != rest_.npos, "ends early");
    const unsigned marker = byte(rest_, at);
    rest_.remove_prefix(at + 1);
    return marker;
  }

  /// Tables of codes: a byte, how many codes there are of 1 … 16 bits, and a byte for each. The decoder
  /// keeps 256 of them and does not count.
  void expect_tables(std::string_view segment) const {
    while (!segment.empty()) {
      std::size_t codes = 0;
      for (std::size_t bits = 1; bits <= 16 && segment.size() > 16; ++bits) codes += byte(segment, bits);
      whole(codes <= 256 && 17 + codes <= segment.size(), "a table of codes that is none");
      segment.remove_prefix(17 + codes);
    }
  }

  /// A colour sampled h times where the densest is sampled h_max times is ⌈W h / h_max⌉ samples wide, and
  /// lies in blocks of 8×8.
  void read_frame(unsigned marker, std::string_view segment) {
    if (marker > 0xc2) failed("{}: a rare kind of JPEG; expected a baseline or a progressive one", path_);
    whole(colours_.empty(), "a second frame");
    whole(segment.size() >= 6, "a frame's header of another length");
    const std::size_t C = byte(segment, 5);
    const std::uint64_t H = number(segment, 1), W = number(segment, 3);
    if (byte(segment, 0) != 8) failed("{}: {} bits a sample; expected a JPEG of 8", path_, byte(segment, 0));
    if (C != 1 && C != 3)
      failed("{}: {} colours{}; expected a JPEG of 1 (grey) or 3", path_, C, C == 4 ? " (CMYK)" : "");
    whole(segment.size() == 6 + 3 * C, "a frame's header of another length");
    whole(W > 0 && H > 0 && W <= max_image_side && H <= max_image_side, "empty, or too large");
    std::uint64_t most_across = 1, most_down = 1;
    const auto across = [&](std::size_t c) -> std::uint64_t { return byte(segment, 7 + 3 * c) >> 4; };
    const auto down = [&](std::size_t c) -> std::uint64_t { return byte(segment, 7 + 3 * c) & 15; };
    for (std::size_t c = 0; c < C; ++c) {
      colours_ += segment[6 + 3 * c];
      most_across = std::max(most_across, across(c));
      most_down = std::max(most_down, down(c));
    }
    const auto ratio = [](std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; };
    for (std::size_t c = 0; c < C; ++c)
      blocks_ += ratio(W * across(c), 8 * most_across) * ratio(H * down(c), 8 * most_down);
  }

  /// A scan names its colours and begins at a frequency: one that begins at 0 has every block's mean, in a
  /// bit at least.
  void read_scan(std::string_view segment) {
    constexpr int most_scans = 200;  // one for each frequency of each colour would be 192
    whole(++scans_ <= most_scans, "more scans than 200");
    const std::size_t colours = segment.empty() ? 0 : byte(segment, 0);
    whole(segment.size() == 4 + 2 * colours, "a scan's header of another length");
    if (segment[1 + 2 * colours] == 0)
      for (std::size_t c = 0; c < colours; ++c) seen_ += segment[1 + 2 * c];
    const std::size_t length = coded_length();
    coded_ += length;
    rest_.remove_prefix(length);
  }

  /// Up to a marker that is not part of a scan's code, or to the end.
  std::size_t coded_length() const {
    for (std::size_t at = rest_.find('\xff'); at != rest_.npos; at = rest_.find('\xff', at)) {
      const std::size_t next = rest_.find_first_not_of('\xff', at);
      if (next == rest_.npos) break;
      const unsigned marker = byte(rest_, next);
      if (marker != 0 && (marker < 0xd0 || marker > 0xd7)) return at;
      at = next;
    }
    return rest_.size();
  }

  std::string_view rest_;
  const std::string& path_;
  std::string colours_, seen_;  // by the byte that names them: the frame's, and those of scans of means
  std::uint64_t blocks_ = 0, coded_ = 0;  // at the least, and bytes
  int scans_ = 0;
};

}  // namespace

void expect_whole(std::string_view bytes, const std::string& path) {
  if (bytes.starts_with(png_signature))
    expect_png(bytes, path);
  else if (bytes.starts_with(jpeg_signature))
    JpegWalk(bytes, path).to_the_end();
  else
    failed("{}: neither a PNG nor a JPEG; expected a file that begins as one of them does", path);
}

}  // namespace dale
