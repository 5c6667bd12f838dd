// Files, whole. A file is written beside its name and then renamed, so that a name never shows half a file,
// whatever interrupts the writing. Only regular files are read: a FIFO or a terminal would make a program
// wait for bytes that never come. Below them, what the formats share: elements as little-endian IEEE numbers
// in row-major order, and the size that a shape claims, known before anything is allocated for it.
//
// What is wrong with a file is a std::runtime_error of one sentence, `PATH: what was found; expected what`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace dale {

/// Writes PATH.tmp, flushes it to the disk, renames it to PATH, and flushes the folder. Throws
/// std::runtime_error with the path and the system's reason; PATH is then as it was, or whole, and PATH.tmp
/// is gone. A symbolic link is followed; what is there and no regular file (a device, a FIFO) is written to
/// in place, never replaced.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Throws as write_file(path, …) would where no file can be made at `path`: to be asked before long work.
/// Leaves everything as it was.
void expect_writable(const std::filesystem::path& path);

/// Throws std::runtime_error with the path unless it names a regular file, by links or not.
void expect_regular(const std::filesystem::path& path);

/// A file that grows at its end. What was appended is with the system at once, and on the disk after sync().
/// All throw std::runtime_error with the path and the system's reason; a failed append may leave a part
/// behind.
class Appender {
 public:
  explicit Appender(std::filesystem::path path);
  ~Appender();
  Appender(const Appender&) = delete;
  void append(std::string_view bytes);
  void sync();

 private:
  std::filesystem::path path_;
  int file_;
};

/// For tests: of the operations of write_file and Appender (to open, write, sync, close and rename) the n-th
/// from now fails as on a full disk; with 0 none does.
void fail_file_operation(Index n);

/// The whole file. Throws std::runtime_error with the path and the system's reason, and where it is larger
/// than memory.
std::string read_file(const std::filesystem::path& path);

/// Makes a folder and those above it where they are missing, and tries that a file can be made there. Throws
/// std::runtime_error with the path and the system's reason, std::invalid_argument for an empty name.
void make_folder(const std::filesystem::path& path);

/// The first four bytes as a number, the high byte first.
std::uint32_t big_endian(std::string_view bytes);

/// Π shape_k × width in bytes, width at most 8; nothing when a size is negative or no array can be as large
/// (element_count).
std::optional<Index> byte_count(const Shape& shape, Index width);

/// The elements as little-endian floating-point numbers of `width` bytes, in row-major order. REQUIRES width
/// 4 or 8.
std::string tensor_bytes(const Tensor& x, Index width = 4);

/// Elements from little-endian floating-point numbers of `width` bytes, 4 or 8, or from whole numbers of one
/// byte. REQUIRES bytes.size() = byte_count(shape, width).
Tensor tensor_from_bytes(const Shape& shape, std::string_view bytes, Index width);

}  // namespace dale
