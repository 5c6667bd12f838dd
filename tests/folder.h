// What tests of files share: a folder of the test's own, gone with it, idx files, gzip, and PNG.
#pragma once

#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/file.h"
#include "tests/catch.h"

namespace fs = std::filesystem;

struct Folder {
  std::string name = fs::temp_directory_path() / "dale-test-XXXXXX";
  fs::path path = mkdtemp(name.data());

  Folder() = default;
  Folder(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
  fs::path operator/(const std::string& file) const { return path / file; }
};

/// The numbers as four bytes each, the high one first.
inline std::string idx_head(const std::vector<std::uint32_t>& head) {
  std::string bytes;
  for (std::uint32_t h : head)
    for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(h >> shift);
  return bytes;
}
/// The CRC-32 of bytes in that way.
inline std::string crc_of(const std::string& bytes) {
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  return idx_head({static_cast<std::uint32_t>(sum)});
}
/// n bytes below `limit`.
inline std::string noise(std::size_t n, unsigned limit) {
  std::string bytes;
  for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(i * i / 7 % limit);
  return bytes;
}
/// A part, "train" or "t10k", of a named set: images of 28 × 28 pixels, and their labels.
inline void write_part(const fs::path& set, const std::string& part, const std::string& pixels,
                       const std::string& labels) {
  const auto n = static_cast<std::uint32_t>(labels.size());
  fs::create_directories(set);
  dale::write_file(set / (part + "-images-idx3-ubyte"), idx_head({0x803, n, 28, 28}) + pixels);
  dale::write_file(set / (part + "-labels-idx1-ubyte"), idx_head({0x801, n}) + labels);
}

/// In zlib's format, as PNG has it, or gzip's.
inline std::string deflated(const std::string& bytes, bool gzip = false) {
  std::string out(compressBound(bytes.size()) + 32, '\0');
  z_stream z{};
  deflateInit2(&z, 1, Z_DEFLATED, gzip ? 15 + 16 : 15, 8, Z_DEFAULT_STRATEGY);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
inline std::string gzipped(const std::string& bytes) { return deflated(bytes, true); }

/// A PNG of W × H pixels with chunks before the data; each row begins with its filter, 0.
inline std::string png_chunk(const std::string& letters, const std::string& data) {
  return idx_head({static_cast<std::uint32_t>(data.size())}) + letters + data + crc_of(letters + data);
}
inline std::string png_of(std::uint32_t W, std::uint32_t H, int bits, int kind, const std::string& rows,
                          const std::string& before = "") {
  const std::string header =
      idx_head({W, H}) + static_cast<char>(bits) + static_cast<char>(kind) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + before + png_chunk("IDAT", deflated(rows)) +
         png_chunk("IEND", "");
}
