// Memory on one of two machines. A Storage is a block of bytes owned by the arrays that look into it; when
// the last of them goes, the block returns to a cache of its machine and size, because asking the system for
// a fresh block at every operation costs page faults (CPU) or a device synchronisation (CUDA). Blocks come
// uninitialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace dale {

enum class Device { cpu, cuda };

/// "cpu" or "cuda".
const char* str(Device device);
/// Throws std::invalid_argument for another name, and std::runtime_error when that machine is not in this
/// build or not on this computer.
Device device_named(const std::string& name);

struct MemoryPool;

/// A machine has no block as large as was asked for.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Storage {
 public:
  /// A block of at least `bytes`, 64-byte aligned. Throws OutOfMemory, with the size asked and what is in
  /// use, when memory is out even after the cache was emptied.
  Storage(std::size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

  std::uint64_t version = 0;  // how often it was opened for writing

 private:
  void* data_;
  std::size_t bytes_;  // as asked; the block itself is rounded up to its class
  Device device_;
  std::shared_ptr<MemoryPool> pool_;  // that the block belongs to, if any
};

/// The blocks of a captured graph, whose addresses must stay put. Those that a thread takes while one lives
/// are a pool: they go back there, to be taken again within the scope and by nobody else, until all arrays in
/// it are gone.
class PoolScope {
 public:
  explicit PoolScope(Device device);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;

 private:
  std::shared_ptr<MemoryPool> before_;
};

/// Bytes now held by arrays and pools of a machine, and the most that were ever held.
struct MemoryUse {
  std::size_t live, peak;
};
MemoryUse memory_use(Device device);

/// Gives the cached blocks of a machine back to the system.
void release_cached_memory(Device device);

}  // namespace dale
