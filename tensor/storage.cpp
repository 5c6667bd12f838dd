// The cache: free blocks by size class. Classes are multiples of 64 bytes up to 1 KiB, then eighths of a
// power of two, so that a block wastes at most an eighth and the shapes of a training step find their blocks
// again at every step.
#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "tensor/check.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

// For sanitizers, of the host and of a device, blocks come in their very size and are not kept, so that they
// see a step outside or a late use.
#if defined(__SANITIZE_ADDRESS__) || defined(DALE_UNCACHED)
constexpr bool caching = false;
#else
constexpr bool caching = true;
#endif

/// `bytes` rounded up to a class's.
std::size_t size_class(std::size_t bytes) {
  bytes = std::max<std::size_t>(1, bytes);
  const std::size_t step = bytes <= 1024 ? 64 : std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

using Blocks = std::map<std::size_t, std::vector<void*>>;  // by size

/// The last block of a size, or nullptr.
void* taken(Blocks& from, std::size_t size) {
  std::vector<void*>& blocks = from[size];
  if (blocks.empty()) return nullptr;
  void* block = blocks.back();
  blocks.pop_back();
  return block;
}

void* system_allocate(std::size_t bytes, Device device) {
  if (device == Device::cuda) return cuda_allocate(bytes);
  void* block = nullptr;
  return posix_memalign(&block, 64, bytes) == 0 ? block : nullptr;
}

void system_free(void* block, Device device) {
  if (device == Device::cpu)
    std::free(block);
  else
    cuda_free(block);
}

/// A machine's free blocks.
struct Cache {
  Device device;
  std::mutex mutex{};
  Blocks free{};
  MemoryUse use{0, 0};

  /// A block is no longer anybody's.
  void take_back(void* block, std::size_t size) {
    use.live -= size;
    if (caching)
      free[size].push_back(block);
    else
      system_free(block, device);
  }
  void empty() {
    for (const auto& [size, blocks] : std::exchange(free, {}))
      for (void* block : blocks) system_free(block, device);
  }
};

/// The cache of a machine, nobody else's for as long as this lives.
class Locked {
 public:
  explicit Locked(Device device) : cache_(all()[static_cast<int>(device)]), lock_(cache_.mutex) {}
  Cache* operator->() const { return &cache_; }

 private:
  static Cache* all() {
    // Never destroyed: arrays with static lifetime may give blocks back after main has returned.
    static Cache* const caches = new Cache[2]{{Device::cpu}, {Device::cuda}};
    return caches;
  }
  Cache& cache_;
  const std::lock_guard<std::mutex> lock_;
};

thread_local std::shared_ptr<MemoryPool> pool_in_scope;

}  // namespace

struct MemoryPool {
  const Device device;
  Blocks free;

  explicit MemoryPool(Device of) : device(of) {}
  ~MemoryPool() {
    const Locked cache(device);
    for (const auto& [size, blocks] : free)
      for (void* block : blocks) cache->take_back(block, size);
  }
};

PoolScope::PoolScope(Device device)
    : before_(std::exchange(pool_in_scope, std::make_shared<MemoryPool>(device))) {}
PoolScope::~PoolScope() { pool_in_scope = std::move(before_); }

const char* str(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name != "cuda") unknown_name("device", name, {"cpu", "cuda"});
  const std::string missing = cuda_missing();
  if (!missing.empty()) failed("--device cuda: {}", missing);
  return Device::cuda;
}

Storage::Storage(std::size_t bytes, Device device) : bytes_(bytes), device_(device) {
  const Locked cache(device);
  const std::size_t size = size_class(bytes);
  if (pool_in_scope && pool_in_scope->device == device) {
    pool_ = pool_in_scope;
    data_ = taken(pool_->free, size);
    if (data_) return;  // counted when the pool took it
  }
  const std::size_t needed = caching || pool_ ? size : std::max<std::size_t>(1, bytes);
  data_ = taken(cache->free, size);
  if (!data_) data_ = system_allocate(needed, device);
  if (!data_ && !(device == Device::cuda && cuda_recording())) {  // to free a block would end the recording
    cache->empty();
    data_ = system_allocate(needed, device);
  }
  MemoryUse& use = cache->use;
  if (!data_)
    throw OutOfMemory(fmt::format("out of {} memory: asked for {} bytes while {} are in use, {} at the peak",
                                  str(device), size, use.live, use.peak));
  use.live += size;
  use.peak = std::max(use.peak, use.live);
}

Storage::~Storage() {
  const Locked cache(device_);
  const std::size_t size = size_class(bytes_);
  if (pool_)
    pool_->free[size].push_back(data_);
  else
    cache->take_back(data_, size);
}

MemoryUse memory_use(Device device) { return Locked(device)->use; }
void release_cached_memory(Device device) { Locked(device)->empty(); }

}  // namespace dale
