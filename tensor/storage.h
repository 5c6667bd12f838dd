// Memory on one of two machines. A Storage is a block of bytes owned by the arrays that look into it; when
// the last of them goes, the block returns to a cache of its machine and size, because asking the system for
// a fresh block at every operation costs page faults (CPU) or a device synchronisation (CUDA). Blocks come
// uninitialised.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace dale {

enum class Device { cpu, cuda };

/// "cpu" or "cuda".
const char* str(Device device);
/// Throws std::invalid_argument for another name, and std::runtime_error when that machine is not in this
/// build or not on this computer.
Device device_named(const std::string& name);

class Storage {
 public:
  /// A block of at least `bytes`, 64-byte aligned. Throws std::runtime_error with the size asked when memory
  /// is out.
  Storage(std::size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  void* data_;
  std::size_t bytes_;  // as asked; the block itself is rounded up to its class
  Device device_;
};

/// Bytes now held by arrays of a machine, and the most that were ever held.
struct MemoryUse {
  std::size_t live, peak;
};
MemoryUse memory_use(Device device);

/// Gives the cached blocks of a machine back to the system.
void release_cached_memory(Device device);

}  // namespace dale
