// The machine: its table, the one stream that all work goes to, and graphs. A small network is bound by the
// host, which needs some microseconds to start a kernel that runs for two; a graph of a thousand kernels is
// started as one. While it is recorded, what is asked of the stream is written down, arguments and addresses
// included.
#include "tensor/cuda/launch.h"
#include "tensor/cuda/machine.h"

namespace dale {

#define DALE_ENTRY(verb) .verb = cuda::verb,
constinit const Kernels cuda_kernels{DALE_VERBS(DALE_ENTRY)};

namespace {

bool recording = false;

}  // namespace

/// Not the default stream, which cannot be recorded. Never given back: the runtime may be gone before static
/// destructors run.
cudaStream_t cuda::stream() {
  static const cudaStream_t stream = [] {
    cudaStream_t made{};
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "make a stream");
    return made;
  }();
  return stream;
}

std::shared_ptr<void> cuda_record(const std::function<void()>& work) {
  if (recording) broken("a graph is recorded inside another");
  // Relaxed, because memory may be asked for meanwhile.
  cuda::check(cudaStreamBeginCapture(cuda::stream(), cudaStreamCaptureModeRelaxed), "record a graph");
  recording = true;
  cudaGraph_t graph{};
  const auto end = [&] {
    recording = false;
    return cudaStreamEndCapture(cuda::stream(), &graph);
  };
  try {
    work();
  } catch (...) {
    if (end() == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();  // what work() threw says more
    throw;
  }
  cuda::check(end(), "record a graph");
  cudaGraphExec_t ready{};
  const cudaError_t status = cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  cuda::check(status, "make a graph of what was recorded");
  return {ready, [](void* made) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(made)); }};
}

bool cuda_recording() { return recording; }

void cuda_replay(void* graph) {
  cuda::check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), cuda::stream()),
              "start a graph, or an earlier kernel failed");
}

}  // namespace dale
