// One process works in a folder at a time: two runs in one would leave the model of one beside the metrics of
// the other. The lock is advisory (flock) and goes with its process, however that ends.
#pragma once

#include <filesystem>

namespace dale {

class FolderLock {
 public:
  /// Takes FOLDER/.lock, for this process's life or the object's. Throws std::runtime_error that names the
  /// holder when another process has it. Where the file system has no locks it does nothing.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace dale
