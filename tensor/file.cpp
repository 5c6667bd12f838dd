// Reads to the end rather than to a claimed length; writes with fsync before rename, in that order, because a
// rename may reach the disk before the bytes do.
#include "tensor/file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <system_error>

#include "tensor/check.h"

namespace dale {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the formats' numbers are copied as they lie in memory");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

std::string reason(int error) { return std::generic_category().message(error); }

template <class Number>
void read_numbers(std::string_view bytes, real* y) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Number); ++i) {
    Number value;
    std::memcpy(&value, bytes.data() + i * sizeof(Number), sizeof(Number));
    y[i] = static_cast<real>(value);
  }
}

}  // namespace

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  const std::string temporary = path.string() + ".tmp";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (!file) failed("cannot write {}: {}", path.string(), reason(errno));

  int error = 0;
  const auto expect = [&error](bool done) {
    if (!done && error == 0) error = errno ? errno : EIO;
  };
  expect(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  expect(std::fflush(file) == 0);
  expect(fsync(fileno(file)) == 0);
  expect(std::fclose(file) == 0);
  if (error == 0) expect(std::rename(temporary.c_str(), path.c_str()) == 0);
  if (error == 0) return;
  std::remove(temporary.c_str());
  failed("cannot write {}: {}", path.string(), reason(error));
}

std::string read_file(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) failed("cannot read {}: {}", path.string(), reason(errno));
  std::string bytes;
  std::array<char, 1 << 16> chunk;
  while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), file)) bytes.append(chunk.data(), n);
  const int error = std::ferror(file) ? errno : 0;
  std::fclose(file);
  if (error != 0) failed("cannot read {}: {}", path.string(), reason(error));
  return bytes;
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) failed("cannot make the folder {}: {}", path.string(), error.message());
  std::string probe = (path / ".probe-XXXXXX").string();
  const int file = mkstemp(probe.data());
  if (file < 0) failed("cannot write into the folder {}: {}", path.string(), reason(errno));
  close(file);
  std::remove(probe.c_str());
}

std::optional<Index> byte_count(const Shape& shape, Index width) {
  // A size of 0 counts as 1 against the limit, so that no partial product overflows either, in any order.
  Index bytes = width;
  bool empty = false;
  for (Index d : shape) {
    empty = empty || d == 0;
    if (d < 0 || __builtin_mul_overflow(bytes, std::max<Index>(d, 1), &bytes)) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

std::string float32_bytes(const Tensor& x) {
  const std::vector<real> values = x.to_vector();
  std::string bytes(values.size() * sizeof(float), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>(values[i]);
    std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return bytes;
}

Tensor tensor_from_bytes(const Shape& shape, std::string_view bytes, Index width) {
  Tensor x(shape);
  if (width == 4)
    read_numbers<float>(bytes, x.data());
  else
    read_numbers<double>(bytes, x.data());
  return x;
}

}  // namespace dale
