// The device and its memory: what storage.cpp and the command line need of CUDA. A missing driver, a driver
// older than the toolkit, no device, a device that this build was not compiled for: each has its own
// sentence, because each has another remedy.
#include <cstring>

#include "tensor/cuda/cublas.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/machine.h"

namespace dale {
namespace {

__global__ void no_work() {}

/// CUDA's 13020 is version 13.2.
std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

cudaDeviceProp properties() {
  cudaDeviceProp device;
  cuda::check(cudaGetDeviceProperties(&device, 0), "describe the device");
  return device;
}

/// Page-locked memory that copies between host and device pass through, for the device reads and writes no
/// other by itself: buffers in turn, each written again when its last copy has ended.
class Staging {
 public:
  /// The host does not wait, and `from` may be written again at once.
  void to_device(std::byte* to, const std::byte* from, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes; done += size) {
      Buffer& b = buffer(next_++);
      b.wait();
      const std::size_t n = std::min(size, bytes - done);
      std::memcpy(b.memory, from + done, n);
      b.copy(to + done, b.memory, n, cudaMemcpyHostToDevice);
    }
  }

  /// Returns when the bytes are there: while one piece is taken from its buffer, the next are on their way.
  void to_host(std::byte* to, const std::byte* from, std::size_t bytes) {
    const std::size_t first = next_, pieces = (bytes + size - 1) / size, ahead = std::size(buffers_);
    next_ += pieces;
    const auto length = [&](std::size_t piece) { return std::min(size, bytes - piece * size); };
    for (std::size_t i = 0; i < pieces + ahead; ++i) {
      Buffer& b = buffer(first + i);
      if (i >= ahead && i - ahead < pieces) {
        b.wait();
        std::memcpy(to + (i - ahead) * size, b.memory, length(i - ahead));
      }
      if (i < pieces) b.copy(b.memory, from + i * size, length(i), cudaMemcpyDeviceToHost);
    }
  }

 private:
  static constexpr std::size_t size = 1 << 20;
  struct Buffer {
    void* memory = nullptr;
    cudaEvent_t copied{};

    void wait() {
      cuda::check(cudaEventSynchronize(copied), "wait for a copy, or a kernel before it failed");
    }
    void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind direction) {
      cuda::check(cudaMemcpyAsync(to, from, bytes, direction, cuda::stream()),
                  "copy memory, or a kernel before the copy failed");
      cuda::check(cudaEventRecord(copied, cuda::stream()), "mark a copy");
    }
  };
  Buffer& buffer(std::size_t number) {
    Buffer& b = buffers_[number % std::size(buffers_)];
    if (!b.memory) {
      cuda::check(cudaEventCreateWithFlags(&b.copied, cudaEventDisableTiming), "make an event");
      cuda::check(cudaMallocHost(&b.memory, size), "lock memory of the host");
    }
    return b;
  }

  Buffer buffers_[16];
  std::size_t next_ = 0;
};

}  // namespace

std::string cuda_missing() {
  int devices = 0, driver = 0, runtime = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  cudaGetLastError();  // none of these answers may be taken for a later kernel's
  if (driver == 0) return "no NVIDIA driver was found: install one, or use --device cpu";
  if (status == cudaErrorInsufficientDriver)
    return fmt::format("the NVIDIA driver knows CUDA {} at most, but this build uses {}: update the driver",
                       version(driver), version(runtime));
  if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0))
    return "no NVIDIA GPU was found (is CUDA_VISIBLE_DEVICES empty?): use --device cpu";
  cudaFuncAttributes attributes;
  if (status == cudaSuccess) status = cudaFuncGetAttributes(&attributes, no_work);
  cudaGetLastError();
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction) {
    const cudaDeviceProp device = properties();
    if (device.major < 8)
      return fmt::format("{} (sm_{}{}) is older than sm_80, which the kernels need: use --device cpu",
                         device.name, device.major, device.minor);
    return fmt::format("this build has no kernels for {} (sm_{}{}): make clean && make CUDA_ARCHS={}{}",
                       device.name, device.major, device.minor, device.major, device.minor);
  }
  if (status == cudaSuccess && !cuda::open_cublas())
    return fmt::format(
        "cuBLAS is not found (libcublas.so.{}): install the CUDA Toolkit's libraries, or name "
        "their folder in LD_LIBRARY_PATH",
        CUBLAS_VER_MAJOR);
  if (status == cudaSuccess) return "";
  return fmt::format("CUDA does not start: {} ({})", cudaGetErrorString(status), cudaGetErrorName(status));
}

std::string cuda_description() {
  int driver = 0, runtime = 0;
  std::size_t free = 0, total = 0;
  cuda::check(cudaDriverGetVersion(&driver), "tell the driver's version");
  cuda::check(cudaRuntimeGetVersion(&runtime), "tell the runtime's version");
  cuda::check(cudaMemGetInfo(&free, &total), "tell how much memory there is");
  const cudaDeviceProp device = properties();
  constexpr double gib = 1 << 30;
  return fmt::format("{} (sm_{}{}), driver for CUDA {}, runtime {}, {:.1f} of {:.1f} GiB free", device.name,
                     device.major, device.minor, version(driver), version(runtime), free / gib, total / gib);
}

void* cuda_allocate(std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // answered here, not by the next launch
    return nullptr;
  }
  cuda::check(status, "allocate memory");
  return block;
}

void cuda_free(void* block) {
  const cudaError_t status = cudaFree(block);
  if (status != cudaErrorCudartUnloading) cuda::check(status, "free memory");
}

void cuda_transfer(void* to, const void* from, std::size_t bytes, Transfer direction) {
  static Staging& staging = *new Staging;  // never given back, as the stream
  if (cuda_recording() && direction != Transfer::on_device)
    broken("a captured function copies {} the host: make it once before, or pass it as an input",
           direction == Transfer::to_host ? "to" : "from");
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  if (direction == Transfer::to_device) return staging.to_device(target, source, bytes);
  if (direction == Transfer::to_host) return staging.to_host(target, source, bytes);
  cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda::stream()),
              "copy memory, or a kernel before the copy failed");
}

void cuda_synchronize() {
  if (cuda_recording()) broken("a captured function waits for the device: wait before or after it");
  const cudaError_t status = cudaStreamSynchronize(cuda::stream());
  if (status != cudaSuccess)
    failed("a CUDA kernel failed: {} ({}); compute-sanitizer tells which", cudaGetErrorString(status),
           cudaGetErrorName(status));
}

}  // namespace dale
