// What the emulated machine is trusted for: barriers order the threads of a block and of a warp, and each
// fault that a device would pass over in silence is one sentence.
#include <numeric>

#include "experiments/bench/r1.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/machine.h"
#include "tensor/draw.h"
#include "tests/catch.h"

using namespace dale;
using namespace dale::cuda;

namespace {

/// y[i] = x[n − 1 − i] through shared memory, a block.
__global__ void reverse(Span<const real> x, Span<real> y, bool with_barrier) {
  DALE_SHARED(real, tile, 64);
  const Index t = threadIdx.x;
  tile[t] = x[t];
  if (with_barrier) __syncthreads();
  y[t] = tile[63 - t];
}

__global__ void warp_sums(Span<const real> x, Span<real> y) {
  DALE_SHARED(real, tile, 64);
  const Index t = threadIdx.x;
  tile[t] = x[t];
  for (Index mask = 16; mask > 0; mask /= 2) {
    __syncwarp();
    const real sum = tile[t] + tile[t ^ mask];
    __syncwarp();
    tile[t] = sum;
  }
  y[t] = tile[t];
}

__global__ void read_outside(Span<const real> x, Span<real> y) { y[first()] = x[first() + 1]; }

__global__ void read_unwritten(Span<real> y) {
  DALE_SHARED(real, tile, 64);
  if (threadIdx.x < 32) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void overwrite(Span<real> y) {
  DALE_SHARED(real, tile, 64);
  tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
  tile[threadIdx.x] = 2;
}

__global__ void half_wait(Span<real> y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1;
}

}  // namespace

TEST_CASE("an emulated grid: barriers and what a device would not tell", "[machines][emulated]") {
  std::vector<real> x(64), y(64);
  std::iota(x.begin(), x.end(), real(0));
  const std::span<const real> in = x;
  const std::span<real> out = y;
  launch(reverse, 1, 64, in, out, true);
  CHECK((y[0] == 63 && y[63] == 0));
  launch(warp_sums, 1, 64, in, out);
  CHECK((y[0] == 496 && y[31] == 496 && y[32] == 1520));

  REFUSES(launch(reverse, 1, 64, in, out, false), "shared memory is read");
  REFUSES(launch(read_outside, 1, 64, in, out), "index 64 in a buffer of 64");
  REFUSES(launch(read_unwritten, 1, 64, out), "thread 32: shared memory is read before");
  REFUSES(launch(overwrite, 1, 64, out), "no barrier after another thread");
  REFUSES(launch(half_wait, 1, 64, out), "a barrier that not all threads reach");
  launch(reverse, 1, 64, in, out, true);
  CHECK((y[0] == 63 && y[63] == 0));
}

TEST_CASE("a computer that cannot run CUDA: one sentence each, with the remedy",
          "[machines][emulated][errors]") {
  const auto sentence = [](const emulated::Computer& of) {
    emulated::computer = of;
    const std::string said = cuda_missing();
    emulated::computer = {};
    return said;
  };
  CHECK(sentence({}) == "");
  CHECK_THAT(sentence({.driver = 0}), Contains("no NVIDIA driver was found: install one"));
  CHECK_THAT(sentence({.count = cudaErrorInsufficientDriver, .driver = 12040}),
             Contains("knows CUDA 12.4 at most, but this build uses 13.0: update the driver"));
  CHECK_THAT(sentence({.count = cudaErrorNoDevice}), Contains("no NVIDIA GPU was found"));
  CHECK_THAT(sentence({.kernel = cudaErrorNoKernelImageForDevice}),
             Contains("(sm_90): make clean && make CUDA_ARCHS=90"));
  CHECK_THAT(sentence({.kernel = cudaErrorNoKernelImageForDevice, .major = 7}),
             Contains("(sm_70) is older than sm_80, which the kernels need: use --device cpu"));
  CHECK_THAT(sentence({.kernel = cudaErrorNotReady}), Contains("CUDA does not start"));
  CHECK_THAT(sentence({.cublas = false}), Contains("cuBLAS is not found (libcublas.so.13)"));
}

TEST_CASE("copies to the host and back in more pieces than there are buffers", "[machines][emulated]") {
  for (const Index n : {Index{1}, Index{262144}, Index{5'000'001}}) {
    const Tensor x = uniform(Key{1}, {n});
    CHECK(x.to(Device::cuda).to(Device::cpu).to_vector() == x.to_vector());
  }
}

TEST_CASE("while a graph is recorded nothing waits for the device, and no block goes back to it",
          "[machines][emulated][errors]") {
  REFUSES(cuda_record([] { cuda_synchronize(); }), "a captured function waits for the device");
  { const Tensor cached({1000}, Device::cuda); }
  emulated::freed = 0;
  emulated::computer.memory = 0;
  const auto ask = [] { const Tensor more({123456}, Device::cuda); };
  CHECK_THROWS_AS(cuda_record(ask), OutOfMemory);
  CHECK(emulated::freed == 0);
  CHECK_THROWS_AS(ask(), OutOfMemory);
  CHECK(emulated::freed > 0);
  emulated::computer = {};
}

TEST_CASE("what a step of R1 asks of the device is a known number of launches and copies",
          "[machines][emulated]") {
  const R1 r1(128, Device::cuda), one(1, Device::cuda);
  // So what is made once is there; the plain products are the quickest, emulated.
  cuda_set_products(CudaProducts::plain);
  last_grad(one.loss(one.inputs), variables(one.all));
  cuda_set_products(CudaProducts::full);
  const auto count = [](const std::function<void()>& work) {
    return static_cast<const emulated::Work*>(cuda_record(work).get())->size();
  };
  const std::size_t gradients = count([&] { last_grad(r1.loss(r1.inputs), variables(r1.all)); }),
                    evaluation = count([&] {
                      const NoGrad off;
                      r1(r1.inputs);
                    });
  fmt::print("R1: {} launches and copies for the gradients, {} for an evaluation\n", gradients, evaluation);
  CHECK(gradients <= (sizeof(real) == 4 ? 385 : 387));
  CHECK(evaluation <= 105);
}
