// What tests of files share: a folder of the test's own, gone with it, and idx files.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

struct Folder {
  std::string name = std::filesystem::temp_directory_path() / "dale-test-XXXXXX";
  std::filesystem::path path = mkdtemp(name.data());

  Folder() = default;
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path operator/(const std::string& file) const { return path / file; }
};

/// The numbers as four bytes each, the high one first.
inline std::string idx_head(const std::vector<std::uint32_t>& head) {
  std::string bytes;
  for (std::uint32_t h : head)
    for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(h >> shift);
  return bytes;
}
/// A head and n bytes below `limit`.
inline std::string idx_noise(const std::vector<std::uint32_t>& head, std::size_t n, unsigned limit) {
  std::string bytes = idx_head(head);
  for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(i * i / 7 % limit);
  return bytes;
}
