// The cache: free blocks by size class. Classes are multiples of 64 bytes up to 1 KiB, then eighths of a
// power of two, so that a block wastes at most an eighth and the shapes of a training step find their blocks
// again at every step.
#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

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

struct Cache {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> free;  // by size
  MemoryUse use{0, 0};
};

// Never destroyed: arrays with static lifetime may give blocks back after main has returned.
Cache& cache(Device device) {
  static Cache* caches = new Cache[2];
  return caches[static_cast<int>(device)];
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

/// The last block of a list, or nullptr.
void* taken(std::vector<void*>& blocks) {
  if (blocks.empty()) return nullptr;
  void* block = blocks.back();
  blocks.pop_back();
  return block;
}

/// A block is no longer anybody's. REQUIRES the cache locked; so for the next.
void give_back(Cache& c, void* block, std::size_t size, Device device) {
  c.use.live -= size;
  if (caching)
    c.free[size].push_back(block);
  else
    system_free(block, device);
}

void empty(Cache& c, Device device) {
  for (auto& [size, blocks] : c.free)
    while (void* block = taken(blocks)) system_free(block, device);
}

thread_local std::shared_ptr<MemoryPool> pool_in_scope;

}  // namespace

const char* str(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name != "cuda") unknown_name("device", name, {"cpu", "cuda"});
  const std::string missing = cuda_missing();
  if (!missing.empty()) failed("--device cuda: {}", missing);
  return Device::cuda;
}

Storage::Storage(std::size_t bytes, Device device) : bytes_(bytes), device_(device) {
  Cache& c = cache(device);
  std::lock_guard lock(c.mutex);
  const std::size_t size = size_class(bytes);
  if (pool_in_scope && pool_in_scope->device_ == device) {
    pool_ = pool_in_scope;
    data_ = taken(pool_->free_[size]);
    if (data_) return;  // counted when the pool took it
  }
  const std::size_t needed = caching || pool_ ? size : std::max<std::size_t>(1, bytes);
  data_ = taken(c.free[size]);
  if (!data_) data_ = system_allocate(needed, device);
  if (!data_ && !(device == Device::cuda && cuda_recording())) {  // to free a block would end the recording
    empty(c, device);
    data_ = system_allocate(needed, device);
  }
  if (!data_)
    throw OutOfMemory(fmt::format("out of {} memory: asked for {} bytes while {} are in use, {} at the peak",
                                  str(device), size, c.use.live, c.use.peak));
  c.use.live += size;
  c.use.peak = std::max(c.use.peak, c.use.live);
}

Storage::~Storage() {
  Cache& c = cache(device_);
  std::lock_guard lock(c.mutex);
  const std::size_t size = size_class(bytes_);
  if (pool_)
    pool_->free_[size].push_back(data_);
  else
    give_back(c, data_, size, device_);
}

MemoryPool::~MemoryPool() {
  Cache& c = cache(device_);
  std::lock_guard lock(c.mutex);
  for (auto& [bytes, blocks] : free_)
    while (void* block = taken(blocks)) give_back(c, block, bytes, device_);
}

MemoryPool::Scope::Scope(std::shared_ptr<MemoryPool> pool)
    : before_(std::exchange(pool_in_scope, std::move(pool))) {}
MemoryPool::Scope::~Scope() { pool_in_scope = std::move(before_); }

MemoryUse memory_use(Device device) {
  Cache& c = cache(device);
  std::lock_guard lock(c.mutex);
  return c.use;
}

void release_cached_memory(Device device) {
  Cache& c = cache(device);
  std::lock_guard lock(c.mutex);
  empty(c, device);
}

}  // namespace dale
