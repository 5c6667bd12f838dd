// The part of CUDA's runtime that tensor/cuda calls, answered on the CPU, for tests: the same .cu sources
// compiled by the host's compiler run on a machine without a GPU. Work is done at once, or recorded while a
// stream is captured; a graph's work is then done, with the arguments recorded, at each launch. Fresh memory
// is full of NaN.
#pragma once

#define DALE_EMULATED
#define __global__
#define __device__
#define __host__
#define DALE_MOST_BLOCKS 5
#define __grid_constant__
#define __launch_bounds__(...)

#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>

#include "tests/emulated/grid.h"

// clang-format off
enum cudaError_t {
  cudaSuccess, cudaErrorMemoryAllocation, cudaErrorNoDevice, cudaErrorInsufficientDriver,
  cudaErrorNoKernelImageForDevice, cudaErrorInvalidDeviceFunction, cudaErrorCudartUnloading,
  cudaErrorNotReady, cudaErrorStreamCaptureUnsupported
};
// clang-format on
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

namespace emulated {
/// A launch or a copy: the function that was asked for, the bytes of the arrays that it is given, and what to
/// do. Each array counts once, as what must be read or written at least; of one that a walk visits, no more
/// numbers count than the walk has.
struct Task {
  const void* function;
  std::size_t bytes;
  std::function<void()> run;
};
using Work = std::vector<Task>;
inline Work* recorded = nullptr;  // by the stream that is captured, if it is
/// What the host asked of the device: launches and copies outside of graphs, graphs, and what it waited for.
struct Asked {
  long works = 0, graphs = 0, waits = 0;
};
inline Asked asked;
/// Does it now, or records it.
template <class F> void submit(F* function, std::size_t bytes, std::function<void()> run) {
  if (recorded) return recorded->push_back({reinterpret_cast<const void*>(function), bytes, std::move(run)});
  ++asked.works;
  run();
}
}  // namespace emulated

using cudaStream_t = emulated::Work*;  // of a capture, when it records
using cudaEvent_t = int*;
using cudaGraph_t = emulated::Work*;
using cudaGraphExec_t = emulated::Work*;
struct cudaDeviceProp {
  char name[256];
  int major, minor;
};
struct cudaFuncAttributes {};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  cudaStream_t stream;
};

namespace emulated {
/// The computer that a test wants: what counting devices answers, what looking a kernel up answers, the
/// driver's version, and the bytes of memory that a device has.
struct Computer {
  cudaError_t count = cudaSuccess, kernel = cudaSuccess;
  int driver = 13000, major = 9;
  std::size_t memory = std::size_t{1} << 40;
  bool cublas = true;
};
inline Computer computer;
inline int freed = 0;  // blocks that went back to the device
}  // namespace emulated

inline const char* cudaGetErrorString(cudaError_t) { return "an error of the emulated device"; }
inline const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* n) { return *n = 1, emulated::computer.count; }
inline cudaError_t cudaDriverGetVersion(int* v) { return *v = emulated::computer.driver, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* v) { return *v = 13000, cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = {};
  std::strcpy(p->name, "no GPU: the kernels run on the CPU, emulated for tests");
  p->major = emulated::computer.major;
  return cudaSuccess;
}
template <class F> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, F*) {
  return emulated::computer.kernel;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return *free = *total = emulated::computer.memory, cudaSuccess;
}
inline cudaError_t cudaMalloc(void** block, std::size_t bytes) {
  *block = bytes < emulated::computer.memory ? std::aligned_alloc(256, (bytes + 255) / 256 * 256) : nullptr;
  if (!*block) return cudaErrorMemoryAllocation;
  std::memset(*block, 0xff, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* block) {
  ++emulated::freed;
  return std::free(block), cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** block, std::size_t bytes) { return cudaMalloc(block, bytes); }

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  return *s = new emulated::Work, cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  ++emulated::asked.waits;
  return emulated::recorded ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return *e = new int, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t) {
  if (kind == cudaMemcpyDeviceToHost) ++emulated::asked.waits;
  emulated::submit(cudaMemcpyAsync, 2 * bytes, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  if (!s || emulated::recorded) return cudaErrorStreamCaptureUnsupported;
  emulated::recorded = s;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  if (emulated::recorded != s) return cudaErrorStreamCaptureUnsupported;
  emulated::recorded = nullptr;
  return *graph = new emulated::Work(std::exchange(*s, {})), cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long = 0) {
  return *exec = new emulated::Work(*graph), cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  ++emulated::asked.graphs;
  for (const emulated::Task& task : *exec) task.run();
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }

// Blocks run in turn.
inline void __threadfence() {}
inline unsigned atomicInc(unsigned* count, unsigned most) {
  const unsigned old = *count;
  *count = old >= most ? 0 : old + 1;
  return old;
}

namespace emulated {
/// Of the arrays among a launch's parameters, also those that structures and lists of arrays hold.
template <class... P> std::size_t bytes_of(const P&... parameters) {
  most = SIZE_MAX;
  std::size_t listed = 0;
  const auto look = [&](const auto& p) {
    if constexpr (requires { p.bytes(); })
      listed += p.bytes();
    else if constexpr (requires { p.run_stride(0); })
      most = (most == SIZE_MAX ? 1 : most) * static_cast<std::size_t>(p.count);
  };
  (look(parameters), ...);
  copied = 0;
  const std::tuple<P...> copies(parameters...);
  return copied + listed;
}
}  // namespace emulated

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A... args) {
  emulated::submit(kernel, emulated::bytes_of<P...>(args...),
                   [grid = config->gridDim, block = config->blockDim, kernel, args...] {
                     emulated::run_grid(grid, block, [&] { kernel(args...); });
                   });
  return cudaSuccess;
}
