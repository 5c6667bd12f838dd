// zlib reads gzipped and plain files alike, and compares the checksum at the end of the stream.
#include "experiments/data/idx.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>

#include "tensor/check.h"
#include "tensor/file.h"

namespace dale {
namespace {

struct Idx {
  Shape shape;
  std::string bytes;
};

Idx read_idx(const std::filesystem::path& path, Index magic, int rank) {
  const std::string name = path.string();
  std::string file = read_gzip(path);
  const std::size_t length = 4 + 4 * static_cast<std::size_t>(rank);
  if (file.size() >= 4 && big_endian(file) != magic)
    failed("{}: magic number 0x{:08x}; expected 0x{:08x}", name, big_endian(file), magic);
  if (file.size() < length) failed("{}: {} bytes; expected a header of {}", name, file.size(), length);

  Idx idx;
  for (int i = 0; i < rank; ++i) idx.shape.push_back(big_endian(std::string_view(file).substr(4 + 4 * i)));
  idx.bytes = std::move(file.erase(0, length));
  const auto expected = byte_count(idx.shape, 1);
  if (!expected) failed("{}: the shape {} overflows; expected less than 2^63 bytes", name, str(idx.shape));
  const auto size = static_cast<std::uint64_t>(*expected);
  if (idx.bytes.size() < size)
    failed("{}: truncated: {} bytes; expected {} for shape {}", name, idx.bytes.size(), size, str(idx.shape));
  if (idx.bytes.size() > size) failed("{}: trailing bytes; expected {} for {}", name, size, str(idx.shape));
  return idx;
}

}  // namespace

Tensor read_idx_images(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 0x803, 3);
  Tensor images({idx.shape[0], 1, idx.shape[1], idx.shape[2]});
  std::transform(idx.bytes.begin(), idx.bytes.end(), images.data(),
                 [](char c) { return static_cast<unsigned char>(c) / real(255); });
  return images;
}

IntTensor read_idx_labels(const std::filesystem::path& path) {
  const Idx idx = read_idx(path, 0x801, 1);
  IntTensor labels(idx.shape);
  std::transform(idx.bytes.begin(), idx.bytes.end(), labels.data(),
                 [](char c) { return static_cast<unsigned char>(c); });
  return labels;
}

std::string read_gzip(const std::filesystem::path& path, std::uint64_t limit) try {
  expect_regular(path);
  errno = 0;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file)
    failed("cannot read {}: {}", path.string(), std::generic_category().message(errno ? errno : ENOMEM));
  constexpr std::uint64_t chunk = 1 << 18;
  std::string bytes;
  while (bytes.size() < limit) {
    const std::size_t had = bytes.size();
    const auto wanted = static_cast<unsigned>(std::min<std::uint64_t>(chunk, limit - had));
    bytes.resize(had + wanted);
    const int n = gzread(file.get(), bytes.data() + had, wanted);
    bytes.resize(had + static_cast<std::size_t>(std::max(n, 0)));
    int error = Z_OK;
    const char* reason = gzerror(file.get(), &error);  // begins with the path
    if (n < 0 || error != Z_OK) failed("cannot read {}; expected a whole idx file, gzipped or not", reason);
    if (n == 0) break;
  }
  return bytes;
} catch (const std::bad_alloc&) { failed("cannot read {}: it holds more than memory does", path.string()); }

std::string md5(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  if (!EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_md5(), nullptr))
    failed("the system's OpenSSL does not compute MD5 digests");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace dale
