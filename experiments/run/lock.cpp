// The file is removed while it is locked. Whoever opened it before then holds a file without a name; that is
// seen by comparing the two, and the new one is tried.
#include "experiments/run/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tensor/check.h"

namespace dale {
namespace {

/// Whether the open file is still the one that the path names.
bool is_named(int file, const std::filesystem::path& path) {
  struct stat opened {
  }, named{};
  return fstat(file, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
}

/// The process that wrote itself into the file, and its machine.
std::string holder(int file) {
  std::array<char, 256> text{};
  const ssize_t n = pread(file, text.data(), text.size(), 0);
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : "another process";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : path_(folder / ".lock") {
  while (file_ < 0) {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) failed("cannot write {}: {}", path_.string(), std::strerror(errno));
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const bool taken = errno == EWOULDBLOCK;
      const std::string by = holder(file_);
      close(file_);
      file_ = -1;
      if (!taken) return;
      failed("{} is in use by {}: wait until it ends, or choose another --out", folder.string(), by);
    }
    if (is_named(file_, path_)) break;
    close(file_);
    file_ = -1;
  }
  std::array<char, 128> host{};
  gethostname(host.data(), host.size() - 1);
  const std::string text = fmt::format("process {} on {}", getpid(), host.data());
  if (ftruncate(file_, 0) != 0 || write(file_, text.data(), text.size()) < 0)
    return;  // the lock holds anyway
}

FolderLock::~FolderLock() {
  if (file_ < 0) return;
  unlink(path_.c_str());
  close(file_);
}

}  // namespace dale
