// The device and its memory: what storage.cpp and the command line need of CUDA. A missing driver, a driver
// older than the toolkit, no device, a device that this build was not compiled for: each has its own
// sentence, because each has another remedy.
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
    return fmt::format(
        "this build has no kernels for {} (sm_{}{}): add it to the architectures in the Makefile",
        device.name, device.major, device.minor);
  }
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
  const cudaMemcpyKind kind = direction == Transfer::to_device ? cudaMemcpyHostToDevice
                              : direction == Transfer::to_host ? cudaMemcpyDeviceToHost
                                                               : cudaMemcpyDeviceToDevice;
  cuda::check(cudaMemcpy(to, from, bytes, kind), "copy memory, or a kernel before the copy failed");
  // A copy on the device does not wait by itself.
  cuda::check(cudaStreamSynchronize(nullptr), "finish a copy");
}

void cuda_synchronize() {
  const cudaError_t status = cudaDeviceSynchronize();
  if (status != cudaSuccess)
    failed("a CUDA kernel failed: {} ({}); compute-sanitizer tells which", cudaGetErrorString(status),
           cudaGetErrorName(status));
}

}  // namespace dale
