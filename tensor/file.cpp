// Reads to the end rather than to a claimed length; writes with fsync before rename, in that order, because a
// rename may reach the disk before the bytes do, and syncs the folder, whose entry the rename is.
#include "tensor/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>

#include "tensor/check.h"

namespace dale {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the formats' numbers are copied as they lie in memory");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

std::string reason(int error) { return std::generic_category().message(error); }

std::atomic<Index> operations_to_failure = 0;

/// Whether an operation succeeds; errno says why if not.
bool done(const auto& operation) {
  if (operations_to_failure > 0 && --operations_to_failure == 0) {
    errno = ENOSPC;
    return false;
  }
  errno = 0;
  return operation();
}

int open_file(const std::filesystem::path& path, int flags) {
  int file = -1;
  done([&] { return (file = open(path.c_str(), flags | O_CLOEXEC, 0666)) >= 0; });
  return file;
}

bool write_all(int file, std::string_view bytes) {
  return done([&] {
    while (!bytes.empty()) {
      const ssize_t n = write(file, bytes.data(), bytes.size());
      if (n < 0 && errno != EINTR) return false;
      bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    }
    return true;
  });
}

/// Some file systems cannot sync a folder and say EINVAL: there is then nothing to do.
bool sync_folder(const std::filesystem::path& folder) {
  const int file = open_file(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (file < 0) return false;
  const bool synced = done([&] { return fsync(file) == 0 || errno == EINVAL; });
  close(file);
  return synced;
}

/// What a symbolic link leads to in the end, be it there or not; other paths as they are. A circle of links
/// is the system's to name when it is opened.
std::filesystem::path followed(std::filesystem::path path) {
  std::error_code error;
  for (int links = 0; links < 40 && std::filesystem::is_symlink(path, error); ++links)
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
  return path;
}

bool is_special(const std::filesystem::path& path) {
  struct stat about {};
  return stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

template <class Number> std::string number_bytes(const std::vector<real>& values) {
  const std::vector<Number> numbers(values.begin(), values.end());
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

template <class Number> void read_numbers(std::string_view bytes, real* y) {
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  bytes.copy(reinterpret_cast<char*>(numbers.data()), bytes.size());
  std::copy(numbers.begin(), numbers.end(), y);
}

}  // namespace

void write_file(const std::filesystem::path& asked, std::string_view bytes) {
  const std::filesystem::path path = followed(asked);
  const bool in_place = is_special(path);
  const std::string temporary = in_place ? path.string() : path.string() + ".tmp";
  // O_NONBLOCK: a FIFO that nobody reads is an error, not a wait.
  const int file = open_file(temporary, in_place ? O_WRONLY | O_NONBLOCK : O_WRONLY | O_CREAT | O_TRUNC);
  if (file < 0) failed("cannot write {}: {}", path.string(), reason(errno));

  int error = 0;
  const auto expect = [&error](bool succeeded) {
    if (!succeeded && error == 0) error = errno ? errno : EIO;
  };
  expect(write_all(file, bytes));
  if (error == 0 && !in_place) expect(done([&] { return fsync(file) == 0; }));
  expect(done([&] { return close(file) == 0; }));
  if (error == 0 && !in_place)
    expect(done([&] { return std::rename(temporary.c_str(), path.c_str()) == 0; }));
  if (error == 0 && !in_place) expect(sync_folder(path.parent_path()));
  if (error == 0) return;
  if (!in_place) std::remove(temporary.c_str());
  failed("cannot write {}: {}", path.string(), reason(error));
}

void expect_writable(const std::filesystem::path& asked) {
  const std::filesystem::path path = followed(asked);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    failed("cannot write {}: it is a folder; expected the name of a file", path.string());
  const bool in_place = is_special(path);
  const std::string probe = in_place ? path.string() : path.string() + ".tmp";
  const int file = open_file(probe, in_place ? O_WRONLY | O_NONBLOCK : O_WRONLY | O_CREAT);
  if (file < 0) failed("cannot write {}: {}", path.string(), reason(errno));
  close(file);
  if (!in_place) std::remove(probe.c_str());
}

Appender::Appender(std::filesystem::path path)
    : path_(std::move(path)), file_(open_file(path_, O_WRONLY | O_CREAT | O_APPEND)) {
  if (file_ < 0) failed("cannot write {}: {}", path_.string(), reason(errno));
}

Appender::~Appender() { close(file_); }

void Appender::append(std::string_view bytes) {
  if (!write_all(file_, bytes)) failed("cannot write {}: {}", path_.string(), reason(errno));
}

void Appender::sync() {
  if (!done([&] { return fsync(file_) == 0; })) failed("cannot write {}: {}", path_.string(), reason(errno));
}

void fail_file_operation(Index n) { operations_to_failure = n; }

void expect_regular(const std::filesystem::path& path) {
  if (is_special(path))
    failed("cannot read {}: it is a device, a FIFO or a socket; expected a file", path.string());
}

std::string read_file(const std::filesystem::path& path) try {
  expect_regular(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) failed("cannot read {}: {}", path.string(), reason(errno));
  std::string bytes;
  std::array<char, 1 << 16> chunk;
  while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), file.get()))
    bytes.append(chunk.data(), n);
  if (std::ferror(file.get())) failed("cannot read {}: {}", path.string(), reason(errno));
  return bytes;
} catch (const std::bad_alloc&) { failed("cannot read {}: {}", path.string(), reason(ENOMEM)); }

void make_folder(const std::filesystem::path& path) {
  if (path.empty()) invalid("the name of the folder is empty; expected one");
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) failed("cannot make the folder {}: {}", path.string(), error.message());
  std::string probe = (path / ".probe-XXXXXX").string();
  const int file = mkstemp(probe.data());
  if (file < 0) failed("cannot write into the folder {}: {}", path.string(), reason(errno));
  close(file);
  std::remove(probe.c_str());
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::optional<Index> byte_count(const Shape& shape, Index width) {
  if (std::any_of(shape.begin(), shape.end(), [](Index d) { return d < 0; })) return std::nullopt;
  try {
    return element_count(shape) * width;
  } catch (const std::invalid_argument&) { return std::nullopt; }
}

std::string tensor_bytes(const Tensor& x, Index width) {
  const std::vector<real> values = x.to_vector();
  return width == 4 ? number_bytes<float>(values) : number_bytes<double>(values);
}

Tensor tensor_from_bytes(const Shape& shape, std::string_view bytes, Index width) {
  Tensor x(shape);
  const auto read = width == 1   ? read_numbers<std::uint8_t>
                    : width == 4 ? read_numbers<float>
                                 : read_numbers<double>;
  read(bytes, x.data());
  return x;
}

}  // namespace dale
